#include "../core/socket.h"

#include <cerrno>
#include <cstdio>

#include "../core/tcp.h"
#include "../core/unix_socket.h"
#include "functions.h"
#include "ledger.h"

namespace {

/* One past the longest path plus room to notice that a path is too long, and to show it. */
const size_t text_bytes = 1024;

typedef int (*Describe)(int fd, char text[socket_text_bytes]);

napi_value describe(napi_env env, napi_callback_info info, const char *function, Describe call,
                    const char *syscall) {
  Arguments<1> arguments(env, info, function);
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  char text[socket_text_bytes];
  int result = call(fd, text);
  if (result == 0) return make_text(env, text);
  throw_errno(env, result, syscall);
  return nullptr;
}

typedef int (*Ask)(int fd);

/* A hot question about a descriptor: the answer is a number, -errno included. */
napi_value ask(napi_env env, napi_callback_info info, const char *function, Ask call) {
  Arguments<1> arguments(env, info, function);
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return make_int32(env, call(fd));
}

napi_value tcp_result(napi_env env, int result, const char *syscall, const char *host, int port) {
  char detail[96];
  if (result == -EINVAL) {
    snprintf(detail, sizeof detail, "(expected a numeric address and a port) %.48s:%d", host, port);
  } else {
    snprintf(detail, sizeof detail, "%.64s:%d", host, port);
  }
  return descriptor_or_throw(env, result, syscall, detail);
}

napi_value unix_result(napi_env env, int result, const char *syscall, const char *path) {
  char detail[256];
  if (result == -ENAMETOOLONG) {
    snprintf(detail, sizeof detail, "(a socket path can have %d bytes) %.180s", unix_path_bytes_max,
             path);
  } else {
    snprintf(detail, sizeof detail, "%.200s", path);
  }
  return descriptor_or_throw(env, result, syscall, detail);
}

}  // namespace

napi_value tcp_listen_call(napi_env env, napi_callback_info info) {
  Arguments<3> arguments(env, info, "tcpListen");
  char host[text_bytes];
  int32_t port, backlog;
  if (!arguments.read_text(0, "host", host, sizeof host) ||
      !arguments.read_int32(1, "port", &port) || !arguments.read_int32(2, "backlog", &backlog)) {
    return nullptr;
  }
  return tcp_result(env, tcp_listen(host, port, backlog), "listen", host, port);
}

napi_value tcp_connect_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "tcpConnect");
  char host[text_bytes];
  int32_t port;
  if (!arguments.read_text(0, "host", host, sizeof host) ||
      !arguments.read_int32(1, "port", &port)) {
    return nullptr;
  }
  return tcp_result(env, tcp_connect(host, port), "connect", host, port);
}

napi_value tcp_tune_call(napi_env env, napi_callback_info info) {
  Arguments<7> arguments(env, info, "tcpTune");
  int32_t fd;
  tcp_options options;
  if (!arguments.read_int32(0, "fd", &fd) ||
      !arguments.read_int32(1, "noDelay", &options.no_delay) ||
      !arguments.read_int32(2, "sendBytes", &options.send_bytes) ||
      !arguments.read_int32(3, "receiveBytes", &options.receive_bytes) ||
      !arguments.read_int32(4, "keepAliveSeconds", &options.keep_alive_seconds) ||
      !arguments.read_int32(5, "userTimeoutMs", &options.user_timeout_millis) ||
      !arguments.read_int32(6, "unsentBytesMax", &options.unsent_bytes_max)) {
    return nullptr;
  }
  int result = tcp_tune(fd, &options);
  if (result < 0) throw_errno(env, result, "setsockopt");
  return nullptr;
}

napi_value unix_listen_call(napi_env env, napi_callback_info info) {
  Arguments<4> arguments(env, info, "unixListen");
  char path[text_bytes];
  int32_t type, backlog, mode;
  if (!arguments.read_text(0, "path", path, sizeof path) ||
      !arguments.read_int32(1, "type", &type) || !arguments.read_int32(2, "backlog", &backlog) ||
      !arguments.read_int32(3, "mode", &mode)) {
    return nullptr;
  }
  int result = unix_listen(path, type, backlog, static_cast<mode_t>(mode));
  return unix_result(env, result, "listen", path);
}

napi_value unix_connect_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "unixConnect");
  char path[text_bytes];
  int32_t type;
  if (!arguments.read_text(0, "path", path, sizeof path) ||
      !arguments.read_int32(1, "type", &type)) {
    return nullptr;
  }
  return unix_result(env, unix_connect(path, type), "connect", path);
}

napi_value unix_pair_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "unixPair");
  int32_t type;
  if (!arguments.read_int32(0, "type", &type)) return nullptr;
  int fds[2];
  int result = unix_pair(type, fds);
  return descriptors_or_throw(env, result, fds, "socketpair");
}

napi_value socket_peer_credentials_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "socketPeerCredentials");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  unix_credentials credentials;
  int result = unix_peer_credentials(fd, &credentials);
  if (result < 0) {
    throw_errno(env, result, "getsockopt", "SO_PEERCRED");
    return nullptr;
  }
  napi_value found;
  napi_create_object(env, &found);
  napi_set_named_property(env, found, "pid", make_number(env, credentials.pid));
  napi_set_named_property(env, found, "uid", make_number(env, credentials.uid));
  napi_set_named_property(env, found, "gid", make_number(env, credentials.gid));
  return found;
}

napi_value socket_accept_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "socketAccept");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  int accepted = socket_accept(fd);
  if (accepted >= 0) ledger_opened(env, accepted);
  return make_int32(env, accepted);
}

napi_value socket_error_call(napi_env env, napi_callback_info info) {
  return ask(env, info, "socketError", socket_error);
}

napi_value socket_connected_call(napi_env env, napi_callback_info info) {
  return ask(env, info, "socketConnected", socket_connected);
}

napi_value socket_shutdown_call(napi_env env, napi_callback_info info) {
  return ask(env, info, "socketShutdown", socket_shutdown);
}

napi_value socket_port_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "socketPort");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return number_or_throw(env, socket_port(fd), "getsockname");
}

napi_value socket_name_call(napi_env env, napi_callback_info info) {
  return describe(env, info, "socketName", socket_name, "getsockname");
}

napi_value socket_peer_call(napi_env env, napi_callback_info info) {
  return describe(env, info, "socketPeer", socket_peer, "getpeername");
}
