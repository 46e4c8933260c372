// Includes <asm/termbits.h>, never <termios.h>: both define struct termios.
#define _GNU_SOURCE
#include "CLinuxTTY.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

// In the kernel's headers only beside a second struct termios.
#ifndef TIOCM_LOOP
#define TIOCM_LOOP 0x8000
#endif

int kelvin_tty_raw(int fd, unsigned int baud) {
  struct termios2 terminal;
  if (ioctl(fd, TCGETS2, &terminal) != 0) return -1;
  terminal.c_iflag = 0;
  terminal.c_oflag = 0;
  terminal.c_lflag = 0;
  terminal.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT);
  terminal.c_ispeed = baud;
  terminal.c_ospeed = baud;
  terminal.c_cc[VMIN] = 1;
  terminal.c_cc[VTIME] = 0;
  return ioctl(fd, TCSETS2, &terminal);
}

int kelvin_tty_exclusive(int fd, int is_exclusive) {
  return ioctl(fd, is_exclusive ? TIOCEXCL : TIOCNXCL);
}

int kelvin_tty_discard_input(int fd) { return ioctl(fd, TCFLSH, TCIFLUSH); }

int kelvin_tty_lines(int fd) {
  int bits = 0;
  if (ioctl(fd, TIOCMGET, &bits) != 0) return -1;
  return ((bits & TIOCM_DTR) ? 1 : 0) | ((bits & TIOCM_RTS) ? 2 : 0);
}

int kelvin_tty_set_lines(int fd, int mask, int asserted) {
  int bits = ((mask & 1) ? TIOCM_DTR : 0) | ((mask & 2) ? TIOCM_RTS : 0);
  return ioctl(fd, asserted ? TIOCMBIS : TIOCMBIC, &bits);
}

int kelvin_tty_loop_lines(int fd, int is_looped) {
  int bits = TIOCM_LOOP;
  return ioctl(fd, is_looped ? TIOCMBIS : TIOCMBIC, &bits);
}

int kelvin_tty_looped_lines(int fd) {
  int bits = 0;
  if (ioctl(fd, TIOCMGET, &bits) != 0) return -1;
  return ((bits & TIOCM_DSR) ? 1 : 0) | ((bits & TIOCM_CTS) ? 2 : 0);
}

int kelvin_pty(char *slave, size_t size) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return -1;
  int status = grantpt(master) != 0 || unlockpt(master) != 0 ? errno : 0;
  if (status == 0) status = ptsname_r(master, slave, size);
  if (status == 0) return master;
  close(master);
  errno = status;
  return -1;
}
