// Includes <asm/termbits.h>, never <termios.h>: both define struct termios.
#define _GNU_SOURCE
#include "CLinuxOwner.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
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

int kelvin_send_descriptor(int socket, int fd) {
  char byte = 0;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.space,
                           .msg_controllen = sizeof control.space};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return (int)sendmsg(socket, &message, MSG_NOSIGNAL);
}

int kelvin_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int kelvin_tty_break(int fd, int is_on) { return ioctl(fd, is_on ? TIOCSBRK : TIOCCBRK); }

unsigned int kelvin_tty_rate(int fd) {
  struct termios2 terminal;
  return ioctl(fd, TCGETS2, &terminal) == 0 ? terminal.c_ospeed : 0;
}
