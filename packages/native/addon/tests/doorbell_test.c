#include "../core/doorbell.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"

void doorbell_tests(void) {
  int fd = doorbell_create();
  CHECK(fd >= 0);
  CHECK_EQUAL(doorbell_clear(fd), 0);
  CHECK_EQUAL(doorbell_ring(fd), 0);
  CHECK_EQUAL(doorbell_ring(fd), 0);
  CHECK_EQUAL(doorbell_clear(fd), 1);
  CHECK_EQUAL(doorbell_clear(fd), 0);

  /* A counter that an app has filled up must not make ringing fail. */
  const uint64_t full = UINT64_MAX - 1;
  CHECK_EQUAL(write(fd, &full, sizeof full), 8);
  CHECK_EQUAL(doorbell_ring(fd), 0);
  CHECK_EQUAL(doorbell_clear(fd), 1);

  close(fd);
  CHECK_EQUAL(doorbell_ring(fd), -EBADF);
  CHECK_EQUAL(doorbell_clear(fd), -EBADF);
}
