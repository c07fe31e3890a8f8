#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  struct sockaddr_storage storage;
  socklen_t bytes;
} tcp_address;

/* getaddrinfo rather than inet_pton: it knows IPv6 scopes (fe80::1%eth0). It asks no name server here. */
static int parse_address(const char *host, int port, tcp_address *address) {
  if (port < 0 || port > 65535) return -EINVAL;
  char service[8];
  snprintf(service, sizeof service, "%d", port);
  struct addrinfo hints = {
      .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
      .ai_family = AF_UNSPEC,
      .ai_socktype = SOCK_STREAM,
  };
  struct addrinfo *found = NULL;
  if (getaddrinfo(host, service, &hints, &found) != 0) return -EINVAL;
  memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
  address->bytes = found->ai_addrlen;
  freeaddrinfo(found);
  return 0;
}

static int open_socket(const tcp_address *address) {
  int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

static int close_with(int fd, int error) {
  close(fd);
  return -error;
}

int tcp_listen(const char *host, int port, int backlog) {
  tcp_address address;
  int result = parse_address(host, port, &address);
  if (result < 0) return result;
  int fd = open_socket(&address);
  if (fd < 0) return fd;
  const int yes = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) return close_with(fd, errno);
  if (bind(fd, (struct sockaddr *)&address.storage, address.bytes) != 0) {
    return close_with(fd, errno);
  }
  if (listen(fd, backlog) != 0) return close_with(fd, errno);
  return fd;
}

int tcp_connect(const char *host, int port) {
  tcp_address address;
  int result = parse_address(host, port, &address);
  if (result < 0) return result;
  int fd = open_socket(&address);
  if (fd < 0) return fd;
  if (connect(fd, (struct sockaddr *)&address.storage, address.bytes) != 0 &&
      errno != EINPROGRESS && errno != EINTR) {
    return close_with(fd, errno);
  }
  return fd;
}

static int set_option(int fd, int level, int option, int value) {
  if (value < 0) return 0;
  return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

static int set_keep_alive(int fd, int seconds) {
  if (seconds < 0) return 0;
  int result = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
  if (result < 0 || seconds == 0) return result;
  int interval = seconds / 3 > 0 ? seconds / 3 : 1;
  result = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  if (result == 0) result = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
  if (result == 0) result = set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  return result;
}

int tcp_tune(int fd, const tcp_options *options) {
  int result = set_option(fd, IPPROTO_TCP, TCP_NODELAY, options->no_delay);
  if (result == 0) result = set_option(fd, SOL_SOCKET, SO_SNDBUF, options->send_bytes);
  if (result == 0) result = set_option(fd, SOL_SOCKET, SO_RCVBUF, options->receive_bytes);
  if (result == 0) result = set_keep_alive(fd, options->keep_alive_seconds);
  if (result == 0) {
    result = set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options->user_timeout_millis);
  }
  if (result == 0) {
    result = set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options->unsent_bytes_max);
  }
  return result;
}
