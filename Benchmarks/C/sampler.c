// Samples FILES every PERIOD_NS for SECONDS at absolute deadlines, under SCHED_FIFO when permitted:
// the same rules as Kelvin's sampler, in C. The last line printed is JSON.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct sample {
  int64_t time, mantissa;
  uint16_t channel;
  uint8_t decimals, status;
};

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int parse(const char *bytes, ssize_t count, int64_t *value) {
  ssize_t i = 0;
  int64_t number = 0;
  for (; i < count && bytes[i] >= '0' && bytes[i] <= '9'; i++) number = number * 10 + bytes[i] - '0';
  *value = number;
  return i > 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int64_t seconds = atoll(argv[1]), period = atoll(argv[2]);
  int files = argc - 3;
  int *descriptors = calloc((size_t)files, sizeof(int));
  for (int i = 0; i < files; i++) {
    descriptors[i] = open(argv[3 + i], O_RDONLY | O_CLOEXEC);
    if (descriptors[i] < 0) return 1;
  }
  enum { capacity = 65536 };
  static struct sample ring[capacity];
  prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
  struct sched_param priority = {.sched_priority = 50};
  int realtime = sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
  int64_t cpu = now(CLOCK_THREAD_CPUTIME_ID);
  int64_t start = now(CLOCK_MONOTONIC), end = start + seconds * 1000000000;
  int64_t tick = 0, taken = 0, late = 0, overruns = 0, sum = 0, greatest = 0, samples = 0;
  int64_t first = 0, last = 0, last_tick = 0;
  while (start + tick * period < end) {
    int64_t due = start + tick * period;
    struct timespec t = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
    int64_t lateness = now(CLOCK_MONOTONIC) - due;
    sum += lateness;
    if (lateness > greatest) greatest = lateness;
    if (lateness > period / 10) late++;
    for (int i = 0; i < files; i++) {
      char buffer[256];
      ssize_t got = pread(descriptors[i], buffer, sizeof buffer, 0);
      struct sample *sample = &ring[samples++ % capacity];
      sample->time = now(CLOCK_MONOTONIC);
      sample->channel = (uint16_t)i;
      sample->status = got >= 0 && parse(buffer, got, &sample->mantissa) ? 0 : 1;
      if (i == 0) {
        if (taken == 0) first = sample->time;
        last = sample->time;
        last_tick = tick;
      }
    }
    taken++;
    tick++;
    int64_t passed = (now(CLOCK_MONOTONIC) - start) / period;
    if (passed > tick) {
      overruns += passed - tick;
      tick = passed;
    }
  }
  cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
  printf("{\"ticks\": %lld, \"overruns\": %lld, \"late\": %lld, \"mean_lateness_ns\": %.0f, "
         "\"max_lateness_ns\": %lld, \"cpu_ns\": %lld, \"samples\": %lld, \"realtime\": %s, "
         "\"drift_ns\": %lld}\n",
         (long long)tick, (long long)overruns, (long long)late,
         taken > 0 ? (double)sum / (double)taken : 0.0, (long long)greatest, (long long)cpu,
         (long long)samples, realtime ? "true" : "false",
         (long long)(last - first - last_tick * period));
  return 0;
}
