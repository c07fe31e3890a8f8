/* Bytes over connected stream sockets, never blocking. Returns bytes, stream_end, or -errno. */
#ifndef KOALA_STREAM_H
#define KOALA_STREAM_H

#include <stddef.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { stream_end = -10000, stream_spans_max = 256 };

int stream_write(int fd, const void *source, size_t bytes);
int stream_writev(int fd, const struct iovec *spans, int count);

/* stream_end once the peer has closed its side; 0 only if no room was given. */
int stream_read(int fd, void *target, size_t bytes);
int stream_readv(int fd, const struct iovec *spans, int count);

#ifdef __cplusplus
}
#endif
#endif
