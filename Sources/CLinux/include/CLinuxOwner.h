// What the owner of ports needs: who is at the other end of a socket, and breaks on a serial line.
#ifndef KELVIN_CLINUX_OWNER_H
#define KELVIN_CLINUX_OWNER_H

#include <sys/types.h>

/// SO_PEERCRED of a connected unix socket: who called connect(2). Returns -1 with errno.
int kelvin_peer(int fd, pid_t *pid, uid_t *uid);
/// accept4(2), non-blocking, closed on exec. Returns -1 with errno.
int kelvin_accept(int fd);
/// TIOCSBRK or TIOCCBRK: the line is held at break until it is ended. Returns -1 with errno.
int kelvin_tty_break(int fd, int is_on);

#endif
