#include "message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Control data must be aligned like its header. */
typedef union {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * message_fds_max)];
} control_buffer;

int message_send(int fd, const void *source, size_t bytes, const int *fds, int fd_count) {
  if (fd_count < 0 || fd_count > message_fds_max) return -EINVAL;
  struct iovec span = {.iov_base = (void *)source, .iov_len = bytes};
  struct msghdr message = {.msg_iov = &span, .msg_iovlen = 1};
  control_buffer control;
  if (fd_count > 0) {
    size_t fd_bytes = sizeof(int) * (size_t)fd_count;
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fd_bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fd_bytes);
    memcpy(CMSG_DATA(header), fds, fd_bytes);
  }
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? (int)sent : -errno;
}

/* Copies what fits and closes the rest: false if something had to be closed. */
static int take_fds(struct msghdr *message, int *fds, int fds_max, int *fd_count) {
  int all_fit = 1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int received;
      memcpy(&received, CMSG_DATA(header) + i * sizeof(int), sizeof received);
      if (*fd_count < fds_max) {
        fds[(*fd_count)++] = received;
      } else {
        close(received);
        all_fit = 0;
      }
    }
  }
  return all_fit;
}

int message_receive(int fd, void *target, size_t bytes, int *fds, int fds_max, int *fd_count) {
  *fd_count = 0;
  if (fds_max > message_fds_max) fds_max = message_fds_max;
  struct iovec span = {.iov_base = target, .iov_len = bytes};
  control_buffer control;
  struct msghdr message = {
      .msg_iov = &span,
      .msg_iovlen = 1,
      .msg_control = control.bytes,
      .msg_controllen = sizeof control.bytes,
  };
  ssize_t got;
  do {
    got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  int all_fit = take_fds(&message, fds, fds_max, fd_count);
  if (!all_fit || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    for (int i = 0; i < *fd_count; i++) close(fds[i]);
    *fd_count = 0;
    return -EMSGSIZE;
  }
  return (int)got;
}
