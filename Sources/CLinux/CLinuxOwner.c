#define _GNU_SOURCE
#include "CLinuxOwner.h"

#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int kelvin_peer(int fd, pid_t *pid, uid_t *uid) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return -1;
  *pid = credentials.pid;
  *uid = credentials.uid;
  return 0;
}

int kelvin_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int kelvin_tty_break(int fd, int is_on) { return ioctl(fd, is_on ? TIOCSBRK : TIOCCBRK); }
