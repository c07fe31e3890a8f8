#include "../core/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../core/unix_socket.h"
#include "check.h"

static void test_bytes(int writer, int reader) {
  char source[8] = "abcdefg";
  char target[8] = {0};
  CHECK_EQUAL(stream_read(reader, target, sizeof target), -EAGAIN);
  CHECK_EQUAL(stream_write(writer, source, 3), 3);
  CHECK_EQUAL(stream_read(reader, target, 0), 0);
  CHECK_EQUAL(stream_read(reader, target, sizeof target), 3);
  CHECK_EQUAL(memcmp(target, "abc", 3), 0);
}

static void test_spans(int writer, int reader) {
  char source[8] = "abcdefg";
  char target[8] = {0};
  struct iovec from[3] = {{source + 4, 3}, {source, 0}, {source, 2}};
  struct iovec to[2] = {{target, 1}, {target + 2, 6}};
  struct iovec nowhere[1] = {{target, 0}};
  CHECK_EQUAL(stream_readv(reader, to, 2), -EAGAIN);
  CHECK_EQUAL(stream_writev(writer, from, 3), 5);
  CHECK_EQUAL(stream_readv(reader, nowhere, 1), 0);
  CHECK_EQUAL(stream_readv(reader, to, 2), 5);
  CHECK_EQUAL(memcmp(target, "e\0fgab", 6), 0);
}

static void test_full_and_end(int writer, int reader) {
  static char block[65536];
  int sent;
  do {
    sent = stream_write(writer, block, sizeof block);
  } while (sent > 0);
  CHECK_EQUAL(sent, -EAGAIN);
  CHECK_EQUAL(shutdown(writer, SHUT_WR), 0);
  /* SIGPIPE would end this program. */
  CHECK_EQUAL(stream_write(writer, block, 1), -EPIPE);
  struct iovec one = {block, 1};
  CHECK_EQUAL(stream_writev(writer, &one, 1), -EPIPE);
  int got;
  do {
    got = stream_read(reader, block, sizeof block);
  } while (got > 0);
  CHECK_EQUAL(got, stream_end);
  CHECK_EQUAL(stream_readv(reader, &one, 1), stream_end);
}

void stream_tests(void) {
  int fds[2];
  CHECK_EQUAL(unix_pair(SOCK_STREAM, fds), 0);
  test_bytes(fds[0], fds[1]);
  test_spans(fds[0], fds[1]);
  test_full_and_end(fds[0], fds[1]);
  close(fds[0]);
  close(fds[1]);
  char byte;
  CHECK_EQUAL(stream_read(fds[0], &byte, 1), -EBADF);
  CHECK_EQUAL(stream_write(fds[0], &byte, 1), -EBADF);
}
