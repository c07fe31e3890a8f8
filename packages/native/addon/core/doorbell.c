#include "doorbell.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int doorbell_create(void) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd >= 0 ? fd : -errno;
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
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0) {
    if (errno == EINTR) continue;
    return errno == EAGAIN ? 0 : -errno;
  }
  return 1;
}
