/* Unix sockets, non-blocking and close-on-exec. Every function returns >= 0, or -errno. */
#ifndef KOALA_UNIX_SOCKET_H
#define KOALA_UNIX_SOCKET_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* sun_path has 108 bytes, one of them for the zero at the end. */
enum { unix_path_bytes_max = 107 };

typedef struct {
  pid_t pid;
  uid_t uid;
  gid_t gid;
} unix_credentials;

/*
 * Listens at a path that does not exist yet, with exactly these permission bits. `type` is SOCK_STREAM or
 * SOCK_SEQPACKET. -ENAMETOOLONG for a path over the limit.
 */
int unix_listen(const char *path, int type, int backlog, mode_t mode);

/* Connected when it returns; -EAGAIN while the listener's backlog is full. */
int unix_connect(const char *path, int type);

/* Two connected sockets. */
int unix_pair(int type, int fds[2]);

/* Who was at the other end when it connected (SO_PEERCRED). */
int unix_peer_credentials(int fd, unix_credentials *credentials);

#ifdef __cplusplus
}
#endif
#endif
