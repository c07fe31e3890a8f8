/* The functions that JavaScript sees, in the order of src/binding.ts. */
#pragma once

#include "translate.h"

#define KOALA_FUNCTIONS(X)                              \
  X(regionCreate, region_create_call)                   \
  X(regionSeal, region_seal_call)                       \
  X(regionSeals, region_seals_call)                     \
  X(regionBytes, region_bytes_call)                     \
  X(regionMap, region_map_call)                         \
  X(regionUnmap, region_unmap_call)                     \
  X(regionRelease, region_release_call)                 \
  X(regionPunch, region_punch_call)                     \
  X(regionReadAt, region_read_at_call)                  \
  X(doorbellCreate, doorbell_create_call)               \
  X(doorbellPair, doorbell_pair_call)                   \
  X(doorbellRing, doorbell_ring_call)                   \
  X(doorbellClear, doorbell_clear_call)                 \
  X(watch, watch_call)                                  \
  X(watchChange, watch_change_call)                     \
  X(watchRef, watch_ref_call)                           \
  X(unwatch, unwatch_call)                              \
  X(eventLoopFd, event_loop_fd_call)                    \
  X(pollerCreate, poller_create_call)                   \
  X(pollerAdd, poller_add_call)                         \
  X(pollerModify, poller_modify_call)                   \
  X(pollerRemove, poller_remove_call)                   \
  X(pollerWait, poller_wait_call)                       \
  X(tcpListen, tcp_listen_call)                         \
  X(tcpConnect, tcp_connect_call)                       \
  X(tcpTune, tcp_tune_call)                             \
  X(unixListen, unix_listen_call)                       \
  X(unixConnect, unix_connect_call)                     \
  X(unixPair, unix_pair_call)                           \
  X(socketPeerCredentials, socket_peer_credentials_call) \
  X(socketAccept, socket_accept_call)                   \
  X(socketError, socket_error_call)                     \
  X(socketConnected, socket_connected_call)             \
  X(socketShutdown, socket_shutdown_call)               \
  X(socketPort, socket_port_call)                       \
  X(socketName, socket_name_call)                       \
  X(socketPeer, socket_peer_call)                       \
  X(sendMessage, message_send_call)                     \
  X(receiveMessage, message_receive_call)               \
  X(socketWrite, socket_write_call)                     \
  X(socketRead, socket_read_call)                       \
  X(socketWritev, socket_writev_call)                   \
  X(socketReadv, socket_readv_call)                     \
  X(socketGather, socket_gather_call)                   \
  X(socketScatter, socket_scatter_call)                 \
  X(descriptorLedger, descriptor_ledger_call)           \
  X(closeFd, close_fd_call)                             \
  X(duplicateFd, duplicate_fd_call)                     \
  X(lockFile, lock_file_call)                           \
  X(monotonicMicros, monotonic_micros_call)             \
  X(threadCpuMicros, thread_cpu_micros_call)            \
  X(processCpuMicros, process_cpu_micros_call)          \
  X(setAffinity, set_affinity_call)                     \
  X(threadYield, thread_yield_call)                     \
  X(runnableThreads, runnable_threads_call)             \
  X(errnoName, errno_name_call)

#define KOALA_DECLARE(name, function) napi_value function(napi_env env, napi_callback_info info);
KOALA_FUNCTIONS(KOALA_DECLARE)
#undef KOALA_DECLARE
