/* What TCP and Unix sockets have in common. Every function returns >= 0, or -errno. */
#ifndef KOALA_SOCKET_H
#define KOALA_SOCKET_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The next connection, non-blocking and close-on-exec; -EAGAIN when there is none. */
int socket_accept(int fd);

/* The pending error, which this call takes away (SO_ERROR): 0 or -errno. */
int socket_error(int fd);

/* 0 when connected, -EINPROGRESS while connecting, else why it failed. */
int socket_connected(int fd);

/* No more bytes will be sent; what is queued still is. */
int socket_shutdown(int fd);

/* The local port of an IP socket; -EAFNOSUPPORT for others. */
int socket_port(int fd);

enum { socket_text_bytes = 128 };

/* "host:port", "[host]:port" or "unix:path", always terminated. */
int socket_name(int fd, char text[socket_text_bytes]);
int socket_peer(int fd, char text[socket_text_bytes]);

#ifdef __cplusplus
}
#endif
#endif
