#define _GNU_SOURCE
#include "CLinuxPerf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int kelvin_perf_open(uint32_t type, uint64_t config, int cpu) {
  // No exclude bit and no sample period: counters beside the CPUs know neither (perf_event_open(2)).
  struct perf_event_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = type;
  attributes.config = config;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return (int)syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

int kelvin_perf_read(int fd, struct kelvin_perf_reading *reading) {
  uint64_t values[3];
  ssize_t count = read(fd, values, sizeof values);
  if (count != sizeof values) {
    if (count >= 0) errno = EIO;
    return -1;
  }
  reading->count = values[0];
  reading->enabled = values[1];
  reading->running = values[2];
  return 0;
}
