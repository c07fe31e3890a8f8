/* epoll for a thread that blocks. Every function returns >= 0, or -errno. */
#ifndef KOALA_POLLER_H
#define KOALA_POLLER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { poller_events_max = 256 };

int poller_create(void);
int poller_add(int poller, int fd, int32_t tag, uint32_t events);
int poller_modify(int poller, int fd, int32_t tag, uint32_t events);
int poller_remove(int poller, int fd);

/*
 * Waits up to `timeout_micros` (-1: for ever) and writes pairs (tag, events) to `out`, which has room
 * for `events_max` pairs (at most poller_events_max are used). The number of pairs; 0 after the time
 * or a signal.
 */
int poller_wait(int poller, int32_t *out, int events_max, int64_t timeout_micros);

#ifdef __cplusplus
}
#endif
#endif
