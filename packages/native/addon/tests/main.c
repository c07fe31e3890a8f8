/* Runs every test of the core. Exit code 0 and a last line "ok" mean that all of them passed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

void check_true(bool condition, const char *text, const char *file, int line) {
  if (condition) return;
  fprintf(stderr, "%s:%d: not true: %s\n", file, line, text);
  exit(1);
}

void check_equal(int64_t actual, int64_t expected, const char *text, const char *file, int line) {
  if (actual == expected) return;
  fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, text, (long long)actual,
          (long long)expected);
  exit(1);
}

int open_fd_count(void) {
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return -1;
  int count = 0;
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static void run(const char *name, void (*tests)(void)) {
  int before = open_fd_count();
  tests();
  CHECK_EQUAL(open_fd_count(), before);
  printf("%s: passed\n", name);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  run("region", region_tests);
  run("doorbell", doorbell_tests);
  run("poller", poller_tests);
  run("stream", stream_tests);
  run("socket", socket_tests);
  run("message", message_tests);
  run("system", system_tests);
  printf("ok\n");
  return 0;
}
