#include "unix_socket.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int parse_path(const char *path, struct sockaddr_un *address) {
  size_t bytes = strlen(path);
  if (bytes == 0) return -EINVAL;
  if (bytes > unix_path_bytes_max) return -ENAMETOOLONG;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, bytes + 1);
  return 0;
}

static int open_socket(int type) {
  if (type != SOCK_STREAM && type != SOCK_SEQPACKET) return -EINVAL;
  int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

int unix_listen(const char *path, int type, int backlog, mode_t mode) {
  struct sockaddr_un address;
  int result = parse_path(path, &address);
  if (result < 0) return result;
  int fd = open_socket(type);
  if (fd < 0) return fd;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  /* Nobody can connect before listen, so the permissions are never wider than asked for. */
  if (chmod(path, mode) != 0 || listen(fd, backlog) != 0) {
    int error = errno;
    close(fd);
    unlink(path);
    return -error;
  }
  return fd;
}

int unix_connect(const char *path, int type) {
  struct sockaddr_un address;
  int result = parse_path(path, &address);
  if (result < 0) return result;
  int fd = open_socket(type);
  if (fd < 0) return fd;
  do {
    result = connect(fd, (struct sockaddr *)&address, sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int unix_pair(int type, int fds[2]) {
  if (type != SOCK_STREAM && type != SOCK_SEQPACKET) return -EINVAL;
  return socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : -errno;
}

int unix_peer_credentials(int fd, unix_credentials *credentials) {
  struct ucred found;
  socklen_t bytes = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &bytes) != 0) return -errno;
  credentials->pid = found.pid;
  credentials->uid = found.uid;
  credentials->gid = found.gid;
  return 0;
}
