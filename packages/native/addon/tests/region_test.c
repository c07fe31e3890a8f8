#include "../core/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

enum { bytes = 64 * 1024 };

static void test_sizes(void) {
  CHECK_EQUAL(region_create("empty", 0), -EINVAL);
  CHECK_EQUAL(region_create("negative", -1), -EINVAL);
  int fd = region_create("sizes", bytes);
  CHECK(fd >= 0);
  CHECK_EQUAL(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  CHECK_EQUAL(region_bytes(fd), bytes);
  void *address = NULL;
  CHECK_EQUAL(region_map(fd, bytes + 1, true, &address), -EINVAL);
  CHECK_EQUAL(region_map(fd, 0, true, &address), -EINVAL);
  CHECK_EQUAL(region_map(-1, bytes, true, &address), -EBADF);
  CHECK(address == NULL);
  close(fd);
  CHECK_EQUAL(region_bytes(fd), -EBADF);
}

static void test_sharing(void) {
  int fd = region_create("sharing", bytes);
  void *writable, *readable;
  CHECK_EQUAL(region_map(fd, bytes, true, &writable), 0);
  CHECK_EQUAL(region_map(fd, bytes, false, &readable), 0);
  memset(writable, 7, bytes);
  CHECK_EQUAL(((char *)readable)[bytes - 1], 7);
  CHECK_EQUAL(region_punch(fd, 4096, 4096), 0);
  /* Before anything reads the hole: a read through a mapping allocates its page again. */
  struct stat status;
  CHECK_EQUAL(fstat(fd, &status), 0);
  CHECK_EQUAL(status.st_blocks * 512, bytes - 4096);
  CHECK_EQUAL(((char *)readable)[4095], 7);
  CHECK_EQUAL(((char *)readable)[4096], 0);
  CHECK_EQUAL(((char *)readable)[8192], 7);
  CHECK_EQUAL(region_bytes(fd), bytes);
  char target[64];
  CHECK_EQUAL(region_read_at(fd, target, sizeof target, 4096 - 32), 64);
  CHECK_EQUAL(target[31], 7);
  CHECK_EQUAL(target[32], 0);
  CHECK_EQUAL(region_read_at(fd, target, sizeof target, bytes - 8), 8);
  CHECK_EQUAL(region_read_at(fd, target, sizeof target, bytes), 0);
  CHECK_EQUAL(region_read_at(-1, target, sizeof target, 0), -EBADF);
  CHECK_EQUAL(region_unmap(writable, bytes), 0);
  CHECK_EQUAL(region_unmap(readable, bytes), 0);
  close(fd);
}

static void test_size_seals(void) {
  int fd = region_create("size-seals", bytes);
  CHECK_EQUAL(region_seals(fd), 0);
  CHECK_EQUAL(region_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  CHECK_EQUAL(region_seals(fd), F_SEAL_SHRINK | F_SEAL_GROW);
  CHECK(ftruncate(fd, bytes / 2) != 0 && errno == EPERM);
  CHECK(ftruncate(fd, bytes * 2) != 0 && errno == EPERM);
  CHECK_EQUAL(region_seal(fd, F_SEAL_SEAL), 0);
  CHECK_EQUAL(region_seal(fd, F_SEAL_WRITE), -EPERM);
  close(fd);
  int pipes[2];
  CHECK_EQUAL(pipe(pipes), 0);
  CHECK_EQUAL(region_seals(pipes[0]), -EINVAL);
  close(pipes[0]);
  close(pipes[1]);
}

/* What an app may try on a region that it may only read. */
static void test_future_write(void) {
  int fd = region_create("future-write", bytes);
  void *earlier, *later;
  CHECK_EQUAL(region_map(fd, bytes, true, &earlier), 0);
  CHECK_EQUAL(region_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE), 0);

  CHECK_EQUAL(region_map(fd, bytes, true, &later), -EPERM);
  CHECK(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
  CHECK(ftruncate(fd, 1) != 0 && errno == EPERM);
  CHECK_EQUAL(region_punch(fd, 0, 4096), -EPERM);

  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int reopened = open(path, O_RDWR | O_CLOEXEC);
  if (reopened >= 0) {
    CHECK_EQUAL(region_map(reopened, bytes, true, &later), -EPERM);
    CHECK(pwrite(reopened, "x", 1, 0) < 0 && errno == EPERM);
    close(reopened);
  }

  CHECK_EQUAL(region_map(fd, bytes, false, &later), 0);
  CHECK(mprotect(later, bytes, PROT_READ | PROT_WRITE) != 0 && errno == EACCES);
  ((char *)earlier)[10] = 42;
  CHECK_EQUAL(((char *)later)[10], 42);
  CHECK_EQUAL(region_unmap(later, bytes), 0);
  CHECK_EQUAL(region_unmap(earlier, bytes), 0);
  close(fd);
}

void region_tests(void) {
  test_sizes();
  test_sharing();
  test_size_seals();
  test_future_write();
}
