#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int region_create(const char *name, int64_t bytes) {
  if (bytes <= 0) return -EINVAL;
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  if (ftruncate(fd, bytes) != 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int region_seal(int fd, int seals) {
  return fcntl(fd, F_ADD_SEALS, seals) == 0 ? 0 : -errno;
}

int region_seals(int fd) {
  int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 ? seals : -errno;
}

int64_t region_bytes(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? (int64_t)status.st_size : -errno;
}

int region_map(int fd, size_t bytes, bool writable, void **address) {
  int64_t size = region_bytes(fd);
  if (size < 0) return (int)size;
  if (bytes == 0 || (uint64_t)size < bytes) return -EINVAL;
  int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void *mapped = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return -errno;
  *address = mapped;
  return 0;
}

int region_unmap(void *address, size_t bytes) {
  return munmap(address, bytes) == 0 ? 0 : -errno;
}

int region_punch(int fd, int64_t offset, int64_t bytes) {
  int result;
  do {
    result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : -errno;
}

int64_t region_read_at(int fd, void *target, size_t bytes, int64_t offset) {
  size_t done = 0;
  while (done < bytes) {
    ssize_t count = pread(fd, (char *)target + done, bytes - done, offset + (int64_t)done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return done > 0 ? (int64_t)done : -errno;
    if (count == 0) break;
    done += (size_t)count;
  }
  return (int64_t)done;
}
