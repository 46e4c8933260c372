/* A console that says so many bytes a second for so many seconds, 64 at a time, as a UART's interrupts
 * bring them. Prints the terminal's name, begins at a line on standard input, prints how many bytes it
 * could not write, and ends at the end of standard input.
 *
 *   pty-writer-c BYTES_PER_SECOND SECONDS */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 };

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int64_t rate = atoll(argv[1]), pieces = rate * atoll(argv[2]) / PIECE, lost = 0;
  int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char name[64], line[16];
  if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, sizeof name)) return 1;
  int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios t;
  tcgetattr(slave, &t);
  cfmakeraw(&t);
  tcsetattr(slave, TCSANOW, &t);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  prctl(PR_SET_TIMERSLACK, 1000);
  printf("%s\n", name);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return 0;
  char piece[PIECE];
  memset(piece, 'x', PIECE);
  piece[PIECE - 1] = '\n';
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  for (int64_t i = 0; i < pieces; i++) {
    at.tv_nsec += PIECE * 1000000000LL / rate;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    ssize_t n = write(fd, piece, PIECE);
    lost += PIECE - (n > 0 ? n : 0);
  }
  printf("%lld\n", (long long)lost);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {}
  return 0;
}
