#include "../core/system.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "../core/doorbell.h"
#include "check.h"

void system_tests(void) {
  int bell = doorbell_create();
  int duplicate = system_duplicate(bell);
  CHECK(duplicate >= 0 && duplicate != bell);
  CHECK_EQUAL(fcntl(duplicate, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  doorbell_ring(bell);
  CHECK_EQUAL(doorbell_clear(duplicate), 1);
  CHECK_EQUAL(system_close(bell), 0);
  CHECK_EQUAL(system_close(duplicate), 0);
  CHECK_EQUAL(system_close(bell), -EBADF);
  CHECK_EQUAL(system_duplicate(bell), -EBADF);

  char path[] = "/tmp/koala-lock-XXXXXX";
  int first = mkstemp(path);
  int second = open(path, O_RDWR | O_CLOEXEC);
  CHECK(first >= 0 && second >= 0);
  CHECK_EQUAL(system_lock(first), 1);
  CHECK_EQUAL(system_lock(first), 1);
  CHECK_EQUAL(system_lock(second), 0);
  int same = system_duplicate(first);
  CHECK_EQUAL(system_close(first), 0);
  CHECK_EQUAL(system_lock(second), 0);
  CHECK_EQUAL(system_close(same), 0);
  CHECK_EQUAL(system_lock(second), 1);
  CHECK_EQUAL(unlink(path), 0);
  CHECK_EQUAL(system_close(second), 0);
  CHECK_EQUAL(system_lock(second), -EBADF);

  double before = system_monotonic_micros();
  CHECK(before > 0 && system_monotonic_micros() >= before);
  CHECK(system_thread_cpu_micros() > 0);
  CHECK(system_process_cpu_micros() > 0);
  CHECK(system_runnable_threads() >= 1);

  cpu_set_t allowed;
  CHECK_EQUAL(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) cpu++;
  CHECK_EQUAL(system_set_affinity(&cpu, 1), 0);
  CHECK_EQUAL(sched_getcpu(), cpu);
  int wrong = CPU_SETSIZE;
  CHECK_EQUAL(system_set_affinity(&wrong, 1), -EINVAL);
  CHECK_EQUAL(system_set_affinity(&cpu, 0), -EINVAL);
}
