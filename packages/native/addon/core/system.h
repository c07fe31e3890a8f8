/* Descriptors, clocks and processors. Functions that can fail return >= 0, or -errno. */
#ifndef KOALA_SYSTEM_H
#define KOALA_SYSTEM_H

#ifdef __cplusplus
extern "C" {
#endif

int system_close(int fd);

/* A second descriptor for the same file, close-on-exec. */
int system_duplicate(int fd);

/*
 * Takes the lock of an open file, which lasts until the last descriptor of this opening is closed, in
 * whatever process. 1: taken, also when it was before; 0: another opening of the file has it.
 */
int system_lock(int fd);

double system_monotonic_micros(void);
double system_thread_cpu_micros(void);
double system_process_cpu_micros(void);

/* Ties the calling thread to processors. -EINVAL for an empty list or a number out of range. */
int system_set_affinity(const int *cpus, int count);

/* Threads of the whole machine that run or could run now, the caller included. */
int system_runnable_threads(void);

/* Lets other threads that are runnable on this processor go first. */
void system_yield(void);

#ifdef __cplusplus
}
#endif
#endif
