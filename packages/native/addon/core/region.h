/* Shared regions: sealed memfds and their mappings. Every function returns >= 0, or -errno. */
#ifndef KOALA_REGION_H
#define KOALA_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A new memfd of `bytes`, close-on-exec, that can be sealed. */
int region_create(const char *name, int64_t bytes);

/* Adds seals (F_SEAL_*). Seals can't be taken away. */
int region_seal(int fd, int seals);

/* The seals that are set; -EINVAL for a descriptor that can't be sealed. */
int region_seals(int fd);

/* The size of the file behind the descriptor. */
int64_t region_bytes(int fd);

/* Maps the first `bytes` shared. -EINVAL if the file is shorter, since touching the rest would be SIGBUS. */
int region_map(int fd, size_t bytes, bool writable, void **address);

int region_unmap(void *address, size_t bytes);

/* Gives the pages of a range back to the kernel; the range reads as zeroes, the size stays. */
int region_punch(int fd, int64_t offset, int64_t bytes);

/* Reads without a mapping: the bytes read, fewer than asked for only at the end of the file. */
int64_t region_read_at(int fd, void *target, size_t bytes, int64_t offset);

#ifdef __cplusplus
}
#endif
#endif
