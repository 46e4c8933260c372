#define _GNU_SOURCE
#include "CLinuxTerminal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

static struct termios saved;
static int terminal = -1;
static volatile sig_atomic_t is_raw = 0;

void kelvin_terminal_restore(void) {
  if (!is_raw) return;
  is_raw = 0;
  tcsetattr(terminal, TCSANOW, &saved);
}

// The default action follows: the handler was reset, and the signal comes again.
static void die(int number) {
  kelvin_terminal_restore();
  raise(number);
}

int kelvin_terminal_raw(int fd) {
  static int is_prepared = 0;
  struct termios raw;
  if (tcgetattr(fd, &saved) != 0) return -1;
  raw = saved;
  cfmakeraw(&raw);
  terminal = fd;
  if (!is_prepared) {
    is_prepared = 1;
    atexit(kelvin_terminal_restore);
    const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGQUIT};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = die;
    action.sa_flags = SA_RESETHAND | SA_NODEFER;
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++) sigaction(fatal[i], &action, NULL);
  }
  // Before the change: a signal in between restores what was not changed yet, which harms nobody.
  is_raw = 1;
  if (tcsetattr(fd, TCSANOW, &raw) == 0) return 0;
  is_raw = 0;
  return -1;
}

int kelvin_terminal_size(int fd, int *rows, int *columns) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
  *rows = size.ws_row;
  *columns = size.ws_col;
  return 0;
}

int kelvin_terminal_resize(int fd, int rows, int columns) {
  struct winsize size;
  memset(&size, 0, sizeof size);
  size.ws_row = (unsigned short)rows;
  size.ws_col = (unsigned short)columns;
  return ioctl(fd, TIOCSWINSZ, &size);
}
