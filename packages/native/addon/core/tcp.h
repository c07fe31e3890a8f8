/* TCP sockets, non-blocking and close-on-exec, numeric addresses only. Returns >= 0, or -errno. */
#ifndef KOALA_TCP_H
#define KOALA_TCP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Options of tcp_tune; a negative number leaves the option alone. */
typedef struct {
  int no_delay;
  int send_bytes;
  int receive_bytes;
  /* Seconds of silence before the first probe; 0 turns probes off. */
  int keep_alive_seconds;
  /* How long sent bytes may stay unacknowledged before the connection is given up. */
  int user_timeout_millis;
  /* Writable only while fewer unsent bytes than this are queued. */
  int unsent_bytes_max;
} tcp_options;

/* -EINVAL for an address that is not a numeric IPv4 or IPv6 address. Port 0 lets the kernel choose. */
int tcp_listen(const char *host, int port, int backlog);

/* Starts to connect; the outcome is known once the descriptor is writable (socket_connected). */
int tcp_connect(const char *host, int port);

int tcp_tune(int fd, const tcp_options *options);

#ifdef __cplusplus
}
#endif
#endif
