/* The least that a logger of a console does: reads a pseudo terminal until it has so many bytes, at most
 * each PAUSE microseconds (0: as they come), and appends them to a file, with a line for each batch that
 * says when it came to another. Prints bytes, nanoseconds of CPU time and of the clock, and batches.
 *
 *   pty-reader-c TERMINAL BYTES PAUSE LOG */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int64_t at(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int64_t wanted = atoll(argv[2]), pause = atoll(argv[3]) * 1000, total = 0, batches = 0, begin = 0;
  char path[4096], line[128];
  static char buffer[1 << 16];
  int fd = open(argv[1], O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  struct termios t;
  if (fd < 0 || tcgetattr(fd, &t)) return 1;
  cfmakeraw(&t);
  tcsetattr(fd, TCSANOW, &t);
  snprintf(path, sizeof path, "%s.index", argv[4]);
  int log = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int index = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0 || index < 0) return 1;
  prctl(PR_SET_TIMERSLACK, 1000);
  printf("ready\n");
  fflush(stdout);
  int64_t cpu = at(CLOCK_PROCESS_CPUTIME_ID), next = 0;
  while (total < wanted) {
    struct pollfd p = {fd, POLLIN, 0};
    /* What is lost at a full terminal never comes. */
    if (poll(&p, 1, 1000) <= 0) {
      if (begin) break;
      continue;
    }
    if (!begin) next = begin = at(CLOCK_MONOTONIC);
    size_t count = 0;
    while (count < sizeof buffer) {
      ssize_t n = read(fd, buffer + count, sizeof buffer - count);
      if (n > 0) count += n;
      else if (n == 0 || errno != EINTR) break;
    }
    if (!count) break;
    if (write(log, buffer, count) != (ssize_t)count) return 1;
    int length = snprintf(line, sizeof line, "d %lld %zu %lld %lld\n", (long long)total, count,
                          (long long)at(CLOCK_MONOTONIC), (long long)at(CLOCK_REALTIME));
    if (write(index, line, length) != length) return 1;
    total += count;
    batches++;
    if (pause) {
      next = at(CLOCK_MONOTONIC) + pause;
      struct timespec until = {next / 1000000000, next % 1000000000};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
  }
  printf("{\"bytes\": %lld, \"cpu_ns\": %lld, \"wall_ns\": %lld, \"batches\": %lld}\n",
         (long long)total, (long long)(at(CLOCK_PROCESS_CPUTIME_ID) - cpu),
         (long long)(at(CLOCK_MONOTONIC) - begin), (long long)batches);
  return 0;
}
