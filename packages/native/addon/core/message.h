/* Messages with file descriptors over Unix sockets, never blocking. Returns bytes, or -errno. */
#ifndef KOALA_MESSAGE_H
#define KOALA_MESSAGE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { message_fds_max = 16 };

/* The descriptors stay open here. */
int message_send(int fd, const void *source, size_t bytes, const int *fds, int fd_count);

/*
 * Receives one message and at most `fds_max` descriptors, close-on-exec. 0: the peer has closed.
 * -EMSGSIZE if the message or its descriptors did not fit: the message is lost and its descriptors closed.
 */
int message_receive(int fd, void *target, size_t bytes, int *fds, int fds_max, int *fd_count);

#ifdef __cplusplus
}
#endif
#endif
