#include "doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int doorbell_create(void) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd >= 0 ? fd : -errno;
}

int doorbell_pair(int fds[2]) {
  return pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : -errno;
}

int doorbell_ring(int fd) {
  const uint64_t one = 1;
  while (write(fd, &one, sizeof one) < 0) {
    if (errno == EINTR) continue;
    return errno == EAGAIN ? 0 : -errno;
  }
  return 0;
}

int doorbell_clear(int fd) {
  /* An eventfd gives its counter at once, a pipe one number for each ring. */
  uint64_t counts[64];
  while (read(fd, counts, sizeof counts) < 0) {
    if (errno == EINTR) continue;
    return errno == EAGAIN ? 0 : -errno;
  }
  return 1;
}
