// Work whose rate follows the CPU's current frequency, for guests under emulation, where a frequency
// changes no speed of itself.
//
//   vb-work [-c CPU] [-u UNITS]
//
// One unit is a million cycles at the frequency that cpufreq says: for each slice of CPU time that
// passed, frequency times that time is done. It spins all the while, so that governors see load.
// Prints the units, the CPU time and the rate; without cpufreq the CPU counts as 1 GHz.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double hertz(int file) {
  char text[32];
  ssize_t count = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);
  if (count <= 0) return 1e9;
  text[count] = 0;
  return strtod(text, NULL) * 1e3;
}

int main(int argc, char **argv) {
  int cpu = sched_getcpu(), option;
  double units = 1000;
  while ((option = getopt(argc, argv, "c:u:")) != -1) {
    if (option == 'c') cpu = atoi(optarg);
    else if (option == 'u') units = atof(optarg);
    else return 2;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    perror("vb-work: CPU");
    return 1;
  }
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", cpu);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  double begin = now(CLOCK_MONOTONIC), last = now(CLOCK_THREAD_CPUTIME_ID), first = last;
  double rate = hertz(file), read_at = last, cycles = 0, goal = units * 1e6;
  while (cycles < goal) {
    for (volatile int i = 0; i < 20000; i++) {}
    double time = now(CLOCK_THREAD_CPUTIME_ID);
    cycles += (time - last) * rate;
    last = time;
    if (time - read_at > 0.001) {
      rate = hertz(file);
      read_at = time;
    }
  }
  double cpu_time = last - first, wall = now(CLOCK_MONOTONIC) - begin;
  printf("units %.0f\ncpu_time %.6f s\nwall %.6f s\nrate %.3f units/s\n", units, cpu_time, wall,
         units / cpu_time);
  return 0;
}
