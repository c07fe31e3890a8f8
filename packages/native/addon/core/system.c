#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

int system_close(int fd) {
  /* Linux frees the descriptor before it can report EINTR: a second close could hit someone else's. */
  return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

int system_duplicate(int fd) {
  int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return duplicate >= 0 ? duplicate : -errno;
}

int system_lock(int fd) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 1;
  return errno == EWOULDBLOCK ? 0 : -errno;
}

static double micros_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double system_monotonic_micros(void) {
  return micros_of(CLOCK_MONOTONIC);
}

double system_thread_cpu_micros(void) {
  return micros_of(CLOCK_THREAD_CPUTIME_ID);
}

double system_process_cpu_micros(void) {
  return micros_of(CLOCK_PROCESS_CPUTIME_ID);
}

int system_set_affinity(const int *cpus, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (count <= 0) return -EINVAL;
  for (int i = 0; i < count; i++) {
    if (cpus[i] < 0 || cpus[i] >= CPU_SETSIZE) return -EINVAL;
    CPU_SET(cpus[i], &set);
  }
  return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

void system_yield(void) { sched_yield(); }

int system_runnable_threads(void) {
  int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  char text[128];
  ssize_t bytes = read(fd, text, sizeof text - 1);
  int error = errno;
  close(fd);
  if (bytes < 0) return -error;
  text[bytes] = 0;
  int runnable;
  return sscanf(text, "%*s %*s %*s %d/", &runnable) == 1 ? runnable : -EINVAL;
}
