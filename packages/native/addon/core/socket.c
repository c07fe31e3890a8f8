#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int socket_accept(int fd) {
  int accepted;
  do {
    accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (accepted < 0 && errno == EINTR);
  return accepted >= 0 ? accepted : -errno;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return -errno;
  return -error;
}

/* 0 if there is a peer, else -errno. */
static int has_peer(int fd) {
  struct sockaddr_storage peer;
  socklen_t bytes = sizeof peer;
  return getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0 ? 0 : -errno;
}

int socket_connected(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLOUT};
  int ready;
  do {
    ready = poll(&entry, 1, 0);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return -errno;
  if (ready == 0) {
    /* Not writable: still connecting, or connected with a full send buffer. */
    int result = has_peer(fd);
    return result == -ENOTCONN ? -EINPROGRESS : result;
  }
  int error = socket_error(fd);
  return error < 0 ? error : has_peer(fd);
}

int socket_shutdown(int fd) {
  return shutdown(fd, SHUT_WR) == 0 ? 0 : -errno;
}

int socket_port(int fd) {
  struct sockaddr_storage name;
  socklen_t bytes = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &bytes) != 0) return -errno;
  if (name.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&name)->sin_port);
  if (name.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
  return -EAFNOSUPPORT;
}

static int format_address(const struct sockaddr_storage *address, socklen_t bytes, char *text) {
  if (address->ss_family == AF_UNIX) {
    const struct sockaddr_un *local = (const struct sockaddr_un *)address;
    size_t path_bytes = bytes - offsetof(struct sockaddr_un, sun_path);
    if (bytes <= offsetof(struct sockaddr_un, sun_path)) path_bytes = 0;
    snprintf(text, socket_text_bytes, "unix:%.*s", (int)path_bytes, local->sun_path);
    return 0;
  }
  char host[96];
  char port[8];
  if (getnameinfo((const struct sockaddr *)address, bytes, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return -EAFNOSUPPORT;
  }
  const char *form = address->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
  snprintf(text, socket_text_bytes, form, host, port);
  return 0;
}

int socket_name(int fd, char text[socket_text_bytes]) {
  struct sockaddr_storage address;
  socklen_t bytes = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) return -errno;
  return format_address(&address, bytes, text);
}

int socket_peer(int fd, char text[socket_text_bytes]) {
  struct sockaddr_storage address;
  socklen_t bytes = sizeof address;
  if (getpeername(fd, (struct sockaddr *)&address, &bytes) != 0) return -errno;
  return format_address(&address, bytes, text);
}
