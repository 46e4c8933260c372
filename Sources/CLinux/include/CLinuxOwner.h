// Unix sockets beyond what Swift can say: who is at the other end, descriptors that are passed; and
// breaks on a serial line.
#ifndef KELVIN_CLINUX_OWNER_H
#define KELVIN_CLINUX_OWNER_H

#include <sys/types.h>

/// SO_PEERCRED of a connected unix socket: who called connect(2). Returns -1 with errno.
int kelvin_peer(int fd, pid_t *pid, uid_t *uid);
/// accept4(2), non-blocking, closed on exec. Returns -1 with errno.
int kelvin_accept(int fd);
/// Sets O_NONBLOCK. Returns -1 with errno.
int kelvin_set_nonblocking(int fd);
/// fcntl(2), F_DUPFD_CLOEXEC. Returns -1 with errno.
int kelvin_duplicate(int fd);
/// sendmsg(2) with a descriptor beside the bytes (SCM_RIGHTS), without SIGPIPE. Returns -1 with errno.
ssize_t kelvin_send_descriptor(int fd, const void *bytes, size_t count, int passed);
/// recvmsg(2): `passed` becomes a descriptor that came beside the bytes, closed on exec, or -1. Returns
/// -1 with errno.
ssize_t kelvin_receive_descriptor(int fd, void *bytes, size_t count, int *passed);
/// The rate at which a line sends, in bits a second; 0 when it cannot be told.
unsigned int kelvin_tty_rate(int fd);
/// TIOCSBRK or TIOCCBRK: the line is held at break until it is ended. Returns -1 with errno.
int kelvin_tty_break(int fd, int is_on);

#endif
