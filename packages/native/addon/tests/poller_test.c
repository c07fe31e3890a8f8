#include "../core/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../core/doorbell.h"
#include "../core/system.h"
#include "check.h"

static void test_tags(void) {
  int poller = poller_create();
  int first = doorbell_create();
  int second = doorbell_create();
  int32_t out[8];
  CHECK_EQUAL(poller_add(poller, first, -7, EPOLLIN), 0);
  CHECK_EQUAL(poller_add(poller, second, 9, EPOLLIN), 0);
  CHECK_EQUAL(poller_add(poller, second, 9, EPOLLIN), -EEXIST);
  CHECK_EQUAL(poller_wait(poller, out, 4, 0), 0);
  doorbell_ring(first);
  CHECK_EQUAL(poller_wait(poller, out, 4, -1), 1);
  CHECK_EQUAL(out[0], -7);
  CHECK_EQUAL(out[1], EPOLLIN);
  doorbell_ring(second);
  CHECK_EQUAL(poller_wait(poller, out, 1, -1), 1);
  CHECK_EQUAL(poller_wait(poller, out, 4, -1), 2);
  CHECK_EQUAL(poller_modify(poller, first, 11, EPOLLOUT), 0);
  CHECK_EQUAL(poller_remove(poller, second), 0);
  CHECK_EQUAL(poller_remove(poller, second), -ENOENT);
  CHECK_EQUAL(poller_wait(poller, out, 4, -1), 1);
  CHECK_EQUAL(out[0], 11);
  CHECK_EQUAL(out[1], EPOLLOUT);
  close(first);
  close(second);
  close(poller);
  CHECK_EQUAL(poller_wait(poller, out, 4, 0), -EBADF);
}

static void test_time(void) {
  int poller = poller_create();
  int32_t out[2];
  double start = system_monotonic_micros();
  CHECK_EQUAL(poller_wait(poller, out, 1, 1500), 0);
  CHECK(system_monotonic_micros() - start >= 1500);
  CHECK_EQUAL(poller_wait(poller, out, 0, 0), -EINVAL);
  CHECK_EQUAL(poller_wait(poller, out, -1, 0), -EINVAL);
  close(poller);
}

void poller_tests(void) {
  test_tags();
  test_time();
}
