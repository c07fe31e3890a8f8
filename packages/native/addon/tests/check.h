/* Assertions that name the place and the values. The program ends at the first that fails. */
#ifndef KOALA_CHECK_H
#define KOALA_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(actual, expected) \
  check_equal((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)

void check_true(bool condition, const char *text, const char *file, int line);
void check_equal(int64_t actual, int64_t expected, const char *text, const char *file, int line);

/* Descriptors that this process has open. */
int open_fd_count(void);

void region_tests(void);
void doorbell_tests(void);
void poller_tests(void);
void stream_tests(void);
void socket_tests(void);
void message_tests(void);
void system_tests(void);

#endif
