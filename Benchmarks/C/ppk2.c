// Reads samples of a PPK2 as Kelvin's driver does: the counter of each is checked, its current computed with
// the defaults of Nordic's application, its spike filter applied, and rounded to steps of 10 nA.
//
//   ppk2-c decode FILE COUNT       the stream in FILE, COUNT times, in pieces of 4,096 bytes
//   ppk2-c live PATH SECONDS       what a meter on a serial port sends, looked at each 3 ms
//
// The last line printed is JSON.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const double resistance[5] = {1031.64, 101.65, 10.15, 0.94, 0.043};
static double square[8], slope[8];

static struct {
  double fast, slow;
  int range, left, in_range, expected;
  int64_t samples, broken;
  uint8_t rest[4];
  size_t rest_count;
} state;

static void begin(void) {
  memset(&state, 0, sizeof state);
  state.range = -1;
  state.expected = -1;
  for (int i = 0; i < 5; i++) {
    double k = 1.8 / 163840 / resistance[i];
    square[i] = k * k / 1e-8;
    slope[i] = k / 1e-8;
  }
}

static int64_t one(uint32_t word) {
  int range = word >> 14 & 7;
  int counter = word >> 18 & 63;
  if (state.expected >= 0 && counter != state.expected) state.broken++;
  state.expected = (counter + 1) & 63;
  double x = (double)((word & 0x3fff) * 4);
  double value = (square[range] * x + slope[range]) * x;
  if (range == state.range && state.left == 0) {
    state.fast = 0.18 * value + 0.82 * state.fast;
    state.slow = 0.06 * value + 0.94 * state.slow;
  } else if (state.range < 0) {
    state.range = range;
    state.fast = state.slow = value;
  } else {
    if (range != state.range) {
      state.range = range;
      state.left = 3;
      state.in_range = 0;
    } else {
      state.in_range++;
    }
    state.left--;
    if (range != 4 || state.in_range >= 2) {
      state.fast = 0.18 * value + 0.82 * state.fast;
      state.slow = 0.06 * value + 0.94 * state.slow;
    }
    value = range == 4 ? state.slow : state.fast;
  }
  state.samples++;
  return (int64_t)lrint(value);
}

static int64_t *codes;
static uint8_t *inputs;

static int64_t take(const uint8_t *bytes, size_t count) {
  size_t place = 0;
  size_t made = 0;
  uint32_t word;
  while (state.rest_count > 0 && place < count) {
    state.rest[state.rest_count++] = bytes[place++];
    if (state.rest_count < 4) continue;
    memcpy(&word, state.rest, 4);
    codes[made] = one(word);
    inputs[made++] = word >> 24;
    state.rest_count = 0;
  }
  for (; place + 4 <= count; place += 4) {
    memcpy(&word, bytes + place, 4);
    codes[made] = one(word);
    inputs[made++] = word >> 24;
  }
  while (place < count) state.rest[state.rest_count++] = bytes[place++];
  return made > 0 ? codes[made - 1] : 0;
}

static int decode(const char *path, int count) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    return 2;
  }
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(size);
  if (fread(bytes, 1, size, file) != size) return 2;
  int64_t best = INT64_MAX, sum = 0;
  for (int i = 0; i < count; i++) {
    begin();
    int64_t start = now(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t place = 0; place < size; place += 4096)
      sum += take(bytes + place, size - place < 4096 ? size - place : 4096);
    int64_t used = now(CLOCK_PROCESS_CPUTIME_ID) - start;
    if (used < best) best = used;
  }
  printf("{\"samples\": %lld, \"broken\": %lld, \"cpu_ns\": %lld, \"sum\": %lld}\n",
         (long long)state.samples, (long long)state.broken, (long long)best, (long long)sum);
  return 0;
}

static int live(const char *path, int seconds) {
  int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    perror(path);
    return 2;
  }
  struct termios terminal;
  tcgetattr(fd, &terminal);
  cfmakeraw(&terminal);
  tcsetattr(fd, TCSANOW, &terminal);
  static const uint8_t commands[] = {0x11, 2, 0x0d, 0x0c, 0xe4, 0x0c, 1, 0x06};
  if (write(fd, commands, sizeof commands) != sizeof commands) return 2;
  static uint8_t buffer[65536];
  begin();
  int64_t start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID), sum = 0;
  while (now(CLOCK_MONOTONIC) - start < seconds * 1000000000LL) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 1000) <= 0) break;
    size_t filled = 0;
    ssize_t count;
    while (filled < sizeof buffer &&
           (count = read(fd, buffer + filled, sizeof buffer - filled)) > 0)
      filled += (size_t)count;
    sum += take(buffer, filled);
    struct timespec pause = {.tv_nsec = 3000000};
    nanosleep(&pause, NULL);
  }
  int64_t used = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  static const uint8_t stop = 0x07;
  if (write(fd, &stop, 1) != 1) return 2;
  printf("{\"samples\": %lld, \"broken\": %lld, \"cpu_ns\": %lld, \"sum\": %lld}\n",
         (long long)state.samples, (long long)state.broken, (long long)used, (long long)sum);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: ppk2-c decode FILE COUNT | live PATH SECONDS\n");
    return 2;
  }
  codes = malloc(20000 * sizeof *codes);
  inputs = malloc(20000);
  return strcmp(argv[1], "live") == 0 ? live(argv[2], atoi(argv[3])) : decode(argv[2], atoi(argv[3]));
}
