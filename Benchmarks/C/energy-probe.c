// Reads frames of an Energy Probe as Kelvin's driver does: the number of each is checked, each of its nine
// values goes to an array of its channel, and the greatest are looked for.
//
//   energy-probe-c decode FILE COUNT    the frames in FILE, COUNT times, in pieces of 4,096 bytes
//   energy-probe-c live PATH SECONDS    what a meter on a serial port sends, looked at each 3 ms
//
// The last line printed is JSON.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { FIELDS = 9, SIZE = 2 * (1 + FIELDS), MOST = 65536 };

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t *codes[FIELDS];

static struct {
  uint16_t expected;
  int64_t samples, broken, saturated;
  uint8_t rest[SIZE];
  size_t rest_count;
} state;

static size_t made;

static void one(const uint8_t *frame) {
  uint16_t number;
  memcpy(&number, frame, 2);
  if (number != state.expected) state.broken++;
  state.expected = number + 1;
  for (int field = 0; field < FIELDS; field++) {
    uint16_t value;
    memcpy(&value, frame + 2 + 2 * field, 2);
    codes[field][made] = value;
    state.saturated += value == 65535;
  }
  made++;
  state.samples++;
}

static int64_t take(const uint8_t *bytes, size_t count) {
  size_t place = 0;
  made = 0;
  while (state.rest_count > 0 && place < count) {
    state.rest[state.rest_count++] = bytes[place++];
    if (state.rest_count < SIZE) continue;
    one(state.rest);
    state.rest_count = 0;
  }
  for (; place + SIZE <= count; place += SIZE) one(bytes + place);
  while (place < count) state.rest[state.rest_count++] = bytes[place++];
  return made > 0 ? codes[0][made - 1] : 0;
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
    memset(&state, 0, sizeof state);
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

// Sends a command and throws away what is answered.
static int tell(int fd, const uint8_t *bytes, size_t count) {
  static uint8_t answer[4096];
  if (write(fd, bytes, count) != (ssize_t)count) return -1;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  while (poll(&wait, 1, 150) > 0)
    if (read(fd, answer, sizeof answer) <= 0) return -1;
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
  static const uint8_t sync[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff}, start_byte = 9, stop = 11;
  if (tell(fd, sync, sizeof sync) != 0) return 2;
  for (uint8_t channel = 0; channel < 3; channel++)
    if (tell(fd, (uint8_t[]){7, channel, 7}, 3) != 0) return 2;
  if (write(fd, &start_byte, 1) != 1) return 2;
  uint8_t byte = 0;
  while (byte != 0xac) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 1000) <= 0 || read(fd, &byte, 1) != 1) return 2;
  }
  static uint8_t buffer[MOST];
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
  if (write(fd, &stop, 1) != 1) return 2;
  printf("{\"samples\": %lld, \"broken\": %lld, \"cpu_ns\": %lld, \"sum\": %lld}\n",
         (long long)state.samples, (long long)state.broken, (long long)used, (long long)sum);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: energy-probe-c decode FILE COUNT | live PATH SECONDS\n");
    return 2;
  }
  for (int field = 0; field < FIELDS; field++) codes[field] = malloc(MOST / SIZE * sizeof **codes + 8);
  return strcmp(argv[1], "live") == 0 ? live(argv[2], atoi(argv[3])) : decode(argv[2], atoi(argv[3]));
}
