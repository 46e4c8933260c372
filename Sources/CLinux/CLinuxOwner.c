// Includes <asm/termbits.h>, never <termios.h>: both define struct termios.
#define _GNU_SOURCE
#include "CLinuxOwner.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int kelvin_peer(int fd, pid_t *pid, uid_t *uid) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return -1;
  *pid = credentials.pid;
  *uid = credentials.uid;
  return 0;
}

int kelvin_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int kelvin_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int kelvin_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

ssize_t kelvin_send_descriptor(int fd, const void *bytes, size_t count, int passed) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec data = {.iov_base = (void *)bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t kelvin_receive_descriptor(int fd, void *bytes, size_t count, int *passed) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec data = {.iov_base = bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  *passed = -1;
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return -1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    // There is room for one; the kernel keeps the rest.
    if (header->cmsg_len >= CMSG_LEN(sizeof(int)))
      memcpy(passed, CMSG_DATA(header), sizeof *passed);
  }
  return received;
}

int kelvin_tty_break(int fd, int is_on) { return ioctl(fd, is_on ? TIOCSBRK : TIOCCBRK); }

unsigned int kelvin_tty_rate(int fd) {
  struct termios2 terminal;
  return ioctl(fd, TCGETS2, &terminal) == 0 ? terminal.c_ospeed : 0;
}
