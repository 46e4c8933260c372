/* A serial line between two pseudo terminals: passes bytes both ways at one baud rate, as two UARTs
 * with FIFOs of 16 bytes do.
 *
 *   baud-relay-c BAUD SHELL [ARG...]
 *
 * SHELL runs at one end, in a session of its own; the other end's name is printed. It ends when its
 * standard input does. BAUD 0 passes bytes on as they come. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { FIFO = 16, QUEUE = 1 << 16 };

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* One direction. Each byte is on the line for its ten bits, one after the other. */
struct way {
  int from, to;
  unsigned char bytes[QUEUE];
  int64_t due[QUEUE]; /* when the byte has come through */
  size_t head, tail;
  int64_t last;
};

static size_t count(const struct way *w) { return w->tail - w->head; }

static void take(struct way *w, int64_t byte_ns) {
  unsigned char buffer[4096];
  size_t room = QUEUE - count(w);
  if (room > sizeof buffer) room = sizeof buffer;
  ssize_t n = read(w->from, buffer, room);
  int64_t t = now();
  for (ssize_t i = 0; i < n; i++) {
    if (w->last < t) w->last = t;
    w->last += byte_ns;
    w->bytes[w->tail % QUEUE] = buffer[i];
    w->due[w->tail % QUEUE] = w->last;
    w->tail++;
  }
}

static void give(struct way *w) {
  int64_t t = now();
  while (count(w) && w->due[w->head % QUEUE] <= t) {
    unsigned char buffer[4096];
    size_t n = 0;
    while (n < sizeof buffer && n < count(w) && w->due[(w->head + n) % QUEUE] <= t) {
      buffer[n] = w->bytes[(w->head + n) % QUEUE];
      n++;
    }
    ssize_t written = write(w->to, buffer, n);
    if (written <= 0) return;
    w->head += written;
  }
}

/* A UART tells of what it has when its FIFO is full, or the line has fallen silent. */
static int64_t wake(const struct way *w) {
  if (!count(w)) return INT64_MAX;
  size_t n = count(w) < FIFO ? count(w) : FIFO;
  return w->due[(w->head + n - 1) % QUEUE];
}

static int master(char *name, size_t size) {
  int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, size)) return -1;
  return fd;
}

static void raw(const char *name, int keeps) {
  int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios t;
  tcgetattr(fd, &t);
  cfmakeraw(&t);
  tcsetattr(fd, TCSANOW, &t);
  if (!keeps) close(fd);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int64_t baud = atoll(argv[1]), byte_ns = baud ? 10000000000LL / baud : 0;
  char host_name[64], board_name[64];
  int host = master(host_name, sizeof host_name), board = master(board_name, sizeof board_name);
  if (host < 0 || board < 0) return 1;
  raw(host_name, 1);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    int fd = open(board_name, O_RDWR);
    ioctl(fd, TIOCSCTTY, 0);
    dup2(fd, 0);
    dup2(fd, 1);
    dup2(fd, 2);
    if (fd > 2) close(fd);
    setenv("PS1", "# ", 1);
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  prctl(PR_SET_TIMERSLACK, 1000);
  static struct way down, up;
  down.from = host, down.to = board, up.from = board, up.to = host;
  printf("%s\n", host_name);
  fflush(stdout);
  for (;;) {
    int64_t next = wake(&down) < wake(&up) ? wake(&down) : wake(&up), t = now();
    struct timespec pause = {0, 0};
    if (next > t) {
      int64_t left = next == INT64_MAX ? 3600000000000LL : next - t;
      pause.tv_sec = left / 1000000000, pause.tv_nsec = left % 1000000000;
    }
    struct pollfd fds[3] = {{0, POLLIN, 0},
                            {count(&down) < QUEUE ? host : -1, POLLIN, 0},
                            {count(&up) < QUEUE ? board : -1, POLLIN, 0}};
    if (ppoll(fds, 3, &pause, NULL) < 0 && errno != EINTR) return 1;
    if (fds[0].revents) break;
    if (fds[2].revents & POLLHUP && !(fds[2].revents & POLLIN)) break;
    if (fds[1].revents & POLLIN) take(&down, byte_ns);
    if (fds[2].revents & POLLIN) take(&up, byte_ns);
    give(&down);
    give(&up);
  }
  kill(-child, SIGKILL);
  waitpid(child, NULL, 0);
  return 0;
}
