// Decodes packets of a Joulescope JS110 as Kelvin's driver does without its filter: numbers of packets are checked,
// each sample's current and voltage computed and rounded to steps of 0.1 nA and 10 µV, changes of range, missing
// samples, ends of the converters and the alternating bit noted.
//
//   joulescope-c decode FILE COUNT    the packets in FILE, COUNT times, in pieces of 65,536 bytes
//
// The last line printed is JSON.
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PACKET = 512, HEADER = 8, SAMPLES = 126, PIECE = 65536 };

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Gains of Jetperch's own tests, of the same shape as a real calibration.
static const double gains[8] = {6.8e-4, 1.6e-4, 1.5e-5, 1.5e-6, 1.5e-7, 1.5e-8, 1.5e-9, 0};
static const double voltage_gains[2] = {9.5e-4, 2.9e-4};
static double slopes[8], constants[8], voltage_slopes[2], voltage_constants[2];

static struct {
  uint16_t expected;
  int has_packet, has_sample, range;
  uint32_t last;
  int64_t samples, broken, switched, saturated, unsteady, missing;
} state;

static int64_t *current, *voltage;
static size_t made;

static void packet(const uint8_t *bytes) {
  uint32_t head, index;
  memcpy(&head, bytes, 4);
  memcpy(&index, bytes + 4, 4);
  if ((head & 0x7fffffff) != 0x02000001) {
    state.broken++;
    return;
  }
  uint16_t number = (uint16_t)index;
  if (state.has_packet && number != state.expected) state.broken++;
  state.has_packet = 1;
  state.expected = number + 1;
  int high = head >> 31;
  double slope = voltage_slopes[high], constant = voltage_constants[high];
  for (int place = 0; place < SAMPLES; place++) {
    uint32_t word;
    memcpy(&word, bytes + HEADER + 4 * place, 4);
    if (word == 0xffffffff) {
      state.missing++;
      state.has_sample = 0;
      continue;
    }
    int range = (word & 3) | (word >> 14 & 4);
    uint32_t i = word >> 2 & 0x3fff, v = word >> 18;
    current[made] = (int64_t)lrint(i * slopes[range] + constants[range]);
    voltage[made++] = (int64_t)lrint(v * slope + constant);
    if (state.has_sample) {
      state.switched += range != state.range;
      state.unsteady += ((word ^ state.last) & 0x20000) == 0;
    }
    state.saturated += (i == 0 || i == 0x3fff) && range != 7;
    state.saturated += v == 0 || v == 0x3fff;
    state.range = range;
    state.last = word;
    state.has_sample = 1;
    state.samples++;
  }
}

static int64_t take(const uint8_t *bytes, size_t count) {
  made = 0;
  for (size_t place = 0; place + PACKET <= count; place += PACKET) packet(bytes + place);
  return made > 0 ? current[made - 1] + voltage[made - 1] : 0;
}

int main(int argc, char **argv) {
  if (argc < 4 || strcmp(argv[1], "decode") != 0) {
    fprintf(stderr, "usage: joulescope-c decode FILE COUNT\n");
    return 2;
  }
  for (int range = 0; range < 8; range++) {
    slopes[range] = gains[range] / 1e-10;
    constants[range] = -8000 * slopes[range];
  }
  for (int range = 0; range < 2; range++) {
    voltage_slopes[range] = voltage_gains[range] / 1e-5;
    voltage_constants[range] = -3000 * voltage_slopes[range];
  }
  current = malloc(PIECE / 4 * sizeof *current);
  voltage = malloc(PIECE / 4 * sizeof *voltage);
  FILE *file = fopen(argv[2], "rb");
  if (!file) {
    perror(argv[2]);
    return 2;
  }
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(size);
  if (fread(bytes, 1, size, file) != size) return 2;
  int64_t best = INT64_MAX, sum = 0;
  for (int i = 0; i < atoi(argv[3]); i++) {
    memset(&state, 0, sizeof state);
    int64_t start = now(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t place = 0; place < size; place += PIECE)
      sum += take(bytes + place, size - place < PIECE ? size - place : PIECE);
    int64_t used = now(CLOCK_PROCESS_CPUTIME_ID) - start;
    if (used < best) best = used;
  }
  printf("{\"samples\": %lld, \"broken\": %lld, \"cpu_ns\": %lld, \"sum\": %lld, \"noted\": %lld}\n",
         (long long)state.samples, (long long)state.broken, (long long)best, (long long)sum,
         (long long)(state.switched + state.saturated + state.unsteady));
  return 0;
}
