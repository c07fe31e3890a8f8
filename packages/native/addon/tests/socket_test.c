#include "../core/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/tcp.h"
#include "../core/unix_socket.h"
#include "check.h"

static int accept_soon(int listener) {
  struct pollfd entry = {.fd = listener, .events = POLLIN};
  CHECK_EQUAL(poll(&entry, 1, 5000), 1);
  return socket_accept(listener);
}

static int outcome_of(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLOUT};
  CHECK_EQUAL(poll(&entry, 1, 5000), 1);
  return socket_connected(fd);
}

static void test_tcp(const char *host, const char *form) {
  int listener = tcp_listen(host, 0, 8);
  CHECK(listener >= 0);
  int port = socket_port(listener);
  CHECK(port > 0);
  CHECK_EQUAL(socket_accept(listener), -EAGAIN);
  CHECK_EQUAL(tcp_listen(host, port, 8), -EADDRINUSE);
  int client = tcp_connect(host, port);
  CHECK_EQUAL(outcome_of(client), 0);
  int server = accept_soon(listener);
  CHECK(server >= 0);

  char expected[socket_text_bytes], peer[socket_text_bytes];
  snprintf(expected, sizeof expected, form, port);
  CHECK_EQUAL(socket_peer(client, peer), 0);
  CHECK_EQUAL(strcmp(peer, expected), 0);
  char name[socket_text_bytes];
  CHECK_EQUAL(socket_name(client, name), 0);
  CHECK_EQUAL(socket_peer(server, peer), 0);
  CHECK_EQUAL(strcmp(peer, name), 0);

  tcp_options options = {1, 65536, 65536, 9, 4000, 16384};
  CHECK_EQUAL(tcp_tune(client, &options), 0);
  tcp_options nothing = {-1, -1, -1, -1, -1, -1};
  CHECK_EQUAL(tcp_tune(-1, &nothing), 0);
  CHECK_EQUAL(tcp_tune(-1, &options), -EBADF);

  CHECK_EQUAL(socket_shutdown(client), 0);
  close(client);
  close(server);
  close(listener);

  int refused = tcp_connect(host, port);
  if (refused >= 0) {
    CHECK_EQUAL(outcome_of(refused), -ECONNREFUSED);
    CHECK_EQUAL(socket_connected(refused), -ENOTCONN);
    close(refused);
  } else {
    CHECK_EQUAL(refused, -ECONNREFUSED);
  }
}

static void test_bad_addresses(void) {
  CHECK_EQUAL(tcp_listen("localhost", 0, 8), -EINVAL);
  CHECK_EQUAL(tcp_listen("", 0, 8), -EINVAL);
  CHECK_EQUAL(tcp_listen("1.2.3.4.5", 0, 8), -EINVAL);
  CHECK_EQUAL(tcp_listen("127.0.0.1", 65536, 8), -EINVAL);
  CHECK_EQUAL(tcp_connect("127.0.0.1", -1), -EINVAL);
  CHECK_EQUAL(socket_connected(-1), -EBADF);
  CHECK_EQUAL(socket_error(-1), -EBADF);
}

static void test_unix(int type) {
  char folder[] = "/tmp/koala-core-XXXXXX";
  CHECK(mkdtemp(folder) != NULL);
  char path[64];
  snprintf(path, sizeof path, "%s/socket", folder);
  CHECK_EQUAL(unix_connect(path, type), -ENOENT);
  int listener = unix_listen(path, type, 1, 0620);
  CHECK(listener >= 0);
  struct stat status;
  CHECK_EQUAL(stat(path, &status), 0);
  CHECK_EQUAL(status.st_mode & 0777, 0620);
  CHECK_EQUAL(unix_listen(path, type, 1, 0600), -EADDRINUSE);
  CHECK_EQUAL(socket_port(listener), -EAFNOSUPPORT);

  int client = unix_connect(path, type);
  CHECK(client >= 0);
  int server = accept_soon(listener);
  unix_credentials credentials;
  CHECK_EQUAL(unix_peer_credentials(server, &credentials), 0);
  CHECK_EQUAL(credentials.pid, getpid());
  CHECK_EQUAL(credentials.uid, getuid());
  char text[socket_text_bytes], expected[socket_text_bytes];
  snprintf(expected, sizeof expected, "unix:%s", path);
  CHECK_EQUAL(socket_peer(client, text), 0);
  CHECK_EQUAL(strcmp(text, expected), 0);
  CHECK_EQUAL(socket_peer(server, text), 0);
  CHECK_EQUAL(strcmp(text, "unix:"), 0);

  int waiting[16];
  int count = 0, last;
  while ((last = unix_connect(path, type)) >= 0 && count < 16) waiting[count++] = last;
  CHECK_EQUAL(last, -EAGAIN);
  while (count > 0) close(waiting[--count]);
  close(client);
  close(server);
  close(listener);
  CHECK_EQUAL(unix_connect(path, type), -ECONNREFUSED);
  unlink(path);
  rmdir(folder);
}

static void test_path_length(void) {
  char path[unix_path_bytes_max + 2];
  memset(path, 'x', sizeof path);
  memcpy(path, "/tmp/koala-core-", 16);
  path[sizeof path - 1] = 0;
  CHECK_EQUAL(strlen(path), unix_path_bytes_max + 1);
  CHECK_EQUAL(unix_listen(path, SOCK_STREAM, 1, 0600), -ENAMETOOLONG);
  CHECK_EQUAL(unix_connect(path, SOCK_STREAM), -ENAMETOOLONG);
  CHECK_EQUAL(unix_connect("", SOCK_STREAM), -EINVAL);
  CHECK_EQUAL(unix_connect("/tmp", SOCK_DGRAM), -EINVAL);
  path[unix_path_bytes_max] = 0;
  int listener = unix_listen(path, SOCK_STREAM, 1, 0600);
  CHECK(listener >= 0);
  int client = unix_connect(path, SOCK_STREAM);
  char text[socket_text_bytes];
  CHECK_EQUAL(socket_peer(client, text), 0);
  CHECK_EQUAL(strlen(text), 5 + unix_path_bytes_max);
  close(client);
  close(listener);
  unlink(path);
}

void socket_tests(void) {
  test_tcp("127.0.0.1", "127.0.0.1:%d");
  test_bad_addresses();
  test_unix(SOCK_STREAM);
  test_unix(SOCK_SEQPACKET);
  test_path_length();
}
