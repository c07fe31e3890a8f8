#include "constants.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>

#include "../core/message.h"
#include "../core/stream.h"
#include "../core/unix_socket.h"

namespace {

struct Constant {
  const char *name;
  int32_t value;
};

const Constant constants[] = {
    {"SEAL_SEAL", F_SEAL_SEAL},
    {"SEAL_SHRINK", F_SEAL_SHRINK},
    {"SEAL_GROW", F_SEAL_GROW},
    {"SEAL_WRITE", F_SEAL_WRITE},
    {"SEAL_FUTURE_WRITE", F_SEAL_FUTURE_WRITE},
    {"POLL_IN", EPOLLIN},
    {"POLL_OUT", EPOLLOUT},
    {"POLL_ERR", EPOLLERR},
    {"POLL_HUP", EPOLLHUP},
    {"POLL_RDHUP", EPOLLRDHUP},
    {"POLL_EDGE", static_cast<int32_t>(EPOLLET)},
    {"SOCKET_STREAM", SOCK_STREAM},
    {"SOCKET_SEQPACKET", SOCK_SEQPACKET},
    {"END_OF_STREAM", stream_end},
    {"SPANS_MAX", stream_spans_max},
    {"MESSAGE_FDS_MAX", message_fds_max},
    {"UNIX_PATH_BYTES_MAX", unix_path_bytes_max},
    {"EPERM", EPERM},
    {"ENOENT", ENOENT},
    {"EINTR", EINTR},
    {"EBADF", EBADF},
    {"EAGAIN", EAGAIN},
    {"ENOMEM", ENOMEM},
    {"EACCES", EACCES},
    {"EBUSY", EBUSY},
    {"EEXIST", EEXIST},
    {"EINVAL", EINVAL},
    {"ENFILE", ENFILE},
    {"EMFILE", EMFILE},
    {"ENOSPC", ENOSPC},
    {"EPIPE", EPIPE},
    {"EPROTO", EPROTO},
    {"ENOTSOCK", ENOTSOCK},
    {"EMSGSIZE", EMSGSIZE},
    {"EADDRINUSE", EADDRINUSE},
    {"EADDRNOTAVAIL", EADDRNOTAVAIL},
    {"ENETUNREACH", ENETUNREACH},
    {"ECONNABORTED", ECONNABORTED},
    {"ECONNRESET", ECONNRESET},
    {"ENOBUFS", ENOBUFS},
    {"ENOTCONN", ENOTCONN},
    {"ETIMEDOUT", ETIMEDOUT},
    {"ECONNREFUSED", ECONNREFUSED},
    {"EHOSTUNREACH", EHOSTUNREACH},
    {"EINPROGRESS", EINPROGRESS},
};

}  // namespace

napi_value make_constants(napi_env env) {
  napi_value object;
  napi_create_object(env, &object);
  for (const Constant &constant : constants) {
    napi_set_named_property(env, object, constant.name, make_int32(env, constant.value));
  }
  return object;
}
