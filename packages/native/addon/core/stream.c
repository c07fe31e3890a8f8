#include "stream.h"

#include <errno.h>
#include <sys/socket.h>

int stream_write(int fd, const void *source, size_t bytes) {
  ssize_t sent;
  do {
    sent = send(fd, source, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? (int)sent : -errno;
}

int stream_writev(int fd, const struct iovec *spans, int count) {
  struct msghdr message = {.msg_iov = (struct iovec *)spans, .msg_iovlen = (size_t)count};
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? (int)sent : -errno;
}

int stream_read(int fd, void *target, size_t bytes) {
  if (bytes == 0) return 0;
  ssize_t got;
  do {
    got = recv(fd, target, bytes, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return (int)got;
  return got == 0 ? stream_end : -errno;
}

static int has_room(const struct iovec *spans, int count) {
  for (int i = 0; i < count; i++) {
    if (spans[i].iov_len > 0) return 1;
  }
  return 0;
}

int stream_readv(int fd, const struct iovec *spans, int count) {
  struct msghdr message = {.msg_iov = (struct iovec *)spans, .msg_iovlen = (size_t)count};
  ssize_t got;
  do {
    got = recvmsg(fd, &message, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return (int)got;
  if (got < 0) return -errno;
  return has_room(spans, count) ? stream_end : 0;
}
