#include "poller.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int poller_create(void) {
  int poller = epoll_create1(EPOLL_CLOEXEC);
  return poller >= 0 ? poller : -errno;
}

static int control(int poller, int operation, int fd, int32_t tag, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.u64 = (uint32_t)tag}};
  return epoll_ctl(poller, operation, fd, &event) == 0 ? 0 : -errno;
}

int poller_add(int poller, int fd, int32_t tag, uint32_t events) {
  return control(poller, EPOLL_CTL_ADD, fd, tag, events);
}

int poller_modify(int poller, int fd, int32_t tag, uint32_t events) {
  return control(poller, EPOLL_CTL_MOD, fd, tag, events);
}

int poller_remove(int poller, int fd) {
  return control(poller, EPOLL_CTL_DEL, fd, 0, 0);
}

/* Milliseconds, rounded up: waking early would turn a wait for 100 µs into spinning. */
static int wait_in_millis(int poller, struct epoll_event *events, int count, int64_t micros) {
  int64_t millis = micros < 0 ? -1 : (micros + 999) / 1000;
  return epoll_wait(poller, events, count, millis > INT_MAX ? INT_MAX : (int)millis);
}

static int wait_for_events(int poller, struct epoll_event *events, int count, int64_t micros) {
#ifdef SYS_epoll_pwait2
  /* Linux 5.11. Nothing to remember about an older kernel: zero and -1 never ask for it. */
  if (micros > 0) {
    struct timespec timeout = {.tv_sec = micros / 1000000, .tv_nsec = micros % 1000000 * 1000};
    int result = (int)syscall(SYS_epoll_pwait2, poller, events, count, &timeout, NULL, 0);
    if (result >= 0 || errno != ENOSYS) return result;
  }
#endif
  return wait_in_millis(poller, events, count, micros);
}

int poller_wait(int poller, int32_t *out, int events_max, int64_t timeout_micros) {
  struct epoll_event events[poller_events_max];
  if (events_max > poller_events_max) events_max = poller_events_max;
  int count = wait_for_events(poller, events, events_max, timeout_micros);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++) {
    out[2 * i] = (int32_t)events[i].data.u64;
    out[2 * i + 1] = (int32_t)events[i].events;
  }
  return count;
}
