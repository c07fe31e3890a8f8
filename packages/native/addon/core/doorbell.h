/* Doorbells: descriptors that wake a sleeping consumer. Every function returns >= 0, or -errno. */
#ifndef KOALA_DOORBELL_H
#define KOALA_DOORBELL_H

#ifdef __cplusplus
extern "C" {
#endif

/* A new eventfd, non-blocking and close-on-exec. */
int doorbell_create(void);

/*
 * A new doorbell with an end of its own for each side: fds[0] to listen, fds[1] to ring. Whoever gets the
 * listening end can't make ringing block, as the holder of an eventfd can by clearing O_NONBLOCK, which
 * all its holders share, and filling the counter.
 */
int doorbell_pair(int fds[2]);

/* Makes the descriptor readable. A counter that is full is readable already, so that is no error. */
int doorbell_ring(int fd);

/* Makes it unreadable again: 1 if it had been rung, 0 if not. */
int doorbell_clear(int fd);

#ifdef __cplusplus
}
#endif
#endif
