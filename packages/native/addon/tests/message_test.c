#include "../core/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../core/doorbell.h"
#include "../core/unix_socket.h"
#include "check.h"

static void test_descriptors(int sender, int receiver) {
  int bells[message_fds_max + 1];
  for (int i = 0; i <= message_fds_max; i++) bells[i] = doorbell_create();
  int received[message_fds_max];
  int count = -1;
  char target[16];
  CHECK_EQUAL(message_receive(receiver, target, 16, received, 16, &count), -EAGAIN);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(message_send(sender, "all", 3, bells, message_fds_max), 3);
  CHECK_EQUAL(message_receive(receiver, target, 16, received, message_fds_max, &count), 3);
  CHECK_EQUAL(count, message_fds_max);
  CHECK_EQUAL(doorbell_ring(received[15]), 0);
  CHECK_EQUAL(doorbell_clear(bells[15]), 1);
  for (int i = 0; i < count; i++) {
    CHECK_EQUAL(fcntl(received[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(received[i]);
  }
  CHECK_EQUAL(message_send(sender, "x", 1, bells, message_fds_max + 1), -EINVAL);
  int closed = bells[16];
  for (int i = 0; i <= message_fds_max; i++) close(bells[i]);
  CHECK_EQUAL(message_send(sender, "x", 1, &closed, 1), -EBADF);
}

/* Nothing that a peer sends may leave a descriptor open that nobody knows of. */
static void test_does_not_fit(int sender, int receiver) {
  int bell = doorbell_create();
  int many[4] = {bell, bell, bell, bell};
  int received[4];
  int count;
  char target[4];
  int before = open_fd_count();
  CHECK_EQUAL(message_send(sender, "abcdef", 6, many, 4), 6);
  CHECK_EQUAL(message_receive(receiver, target, sizeof target, received, 4, &count), -EMSGSIZE);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(message_send(sender, "abc", 3, many, 4), 3);
  CHECK_EQUAL(message_receive(receiver, target, sizeof target, received, 3, &count), -EMSGSIZE);
  CHECK_EQUAL(message_send(sender, "abc", 3, many, 4), 3);
  CHECK_EQUAL(message_receive(receiver, target, sizeof target, received, 0, &count), -EMSGSIZE);
  CHECK_EQUAL(message_send(sender, "abc", 3, NULL, 0), 3);
  CHECK_EQUAL(message_receive(receiver, target, sizeof target, received, 0, &count), 3);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(open_fd_count(), before);

  /* More than this side ever accepts, sent by hand: the kernel truncates and closes what is left over. */
  int crowd[40];
  for (int i = 0; i < 40; i++) crowd[i] = bell;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof crowd)];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec span = {"abc", 3};
  struct msghdr message = {
      .msg_iov = &span,
      .msg_iovlen = 1,
      .msg_control = control.bytes,
      .msg_controllen = sizeof control.bytes,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof crowd);
  memcpy(CMSG_DATA(header), crowd, sizeof crowd);
  CHECK_EQUAL(sendmsg(sender, &message, 0), 3);
  CHECK_EQUAL(message_receive(receiver, target, sizeof target, received, 4, &count), -EMSGSIZE);
  CHECK_EQUAL(open_fd_count(), before);
  close(bell);
}

/* At the descriptor limit a message is refused whole, and works again below it. */
static void test_descriptor_limit(int sender, int receiver) {
  struct rlimit usual, low;
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &usual), 0);
  int bell = doorbell_create();
  int two[2] = {bell, bell};
  int received[2];
  int count;
  char target[4];
  int before = open_fd_count();
  CHECK_EQUAL(message_send(sender, "abc", 3, two, 2), 3);
  CHECK_EQUAL(message_send(sender, "abc", 3, two, 2), 3);
  low = usual;
  /* Room for one more: descriptors are given out from the lowest free number. */
  int next = doorbell_create();
  close(next);
  low.rlim_cur = (rlim_t)next + 1;
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
  int got = message_receive(receiver, target, sizeof target, received, 2, &count);
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &usual), 0);
  CHECK_EQUAL(got, -EMSGSIZE);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(open_fd_count(), before);
  CHECK_EQUAL(message_receive(receiver, target, sizeof target, received, 2, &count), 3);
  CHECK_EQUAL(count, 2);
  close(received[0]);
  close(received[1]);
  close(bell);
}

static void test_end(int sender, int receiver) {
  int count;
  char target[4];
  CHECK_EQUAL(message_send(sender, "bye", 3, NULL, 0), 3);
  close(sender);
  CHECK_EQUAL(message_receive(receiver, target, 4, NULL, 0, &count), 3);
  CHECK_EQUAL(message_receive(receiver, target, 4, NULL, 0, &count), 0);
  CHECK_EQUAL(message_send(receiver, "x", 1, NULL, 0), -EPIPE);
  close(receiver);
}

void message_tests(void) {
  int fds[2];
  CHECK_EQUAL(unix_pair(SOCK_SEQPACKET, fds), 0);
  test_descriptors(fds[0], fds[1]);
  test_does_not_fit(fds[0], fds[1]);
  test_descriptor_limit(fds[0], fds[1]);
  test_end(fds[0], fds[1]);
}
