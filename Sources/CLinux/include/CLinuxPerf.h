// Counters of the kernel's performance events: perf_event_open(2) has no wrapper in glibc.
#ifndef KELVIN_CLINUX_PERF_H
#define KELVIN_CLINUX_PERF_H

#include <stdint.h>

/// What a counter says: its count since it was opened, and for how long it was wanted and did count, in
/// nanoseconds.
struct kelvin_perf_reading {
  uint64_t count;
  uint64_t enabled;
  uint64_t running;
};

/// Opens a counter of everything that a CPU does, or of what its package does; counting. Closed on exec.
/// Returns a descriptor, or -1 with errno.
int kelvin_perf_open(uint32_t type, uint64_t config, int cpu);
/// Reads it. Returns 0, or -1 with errno.
int kelvin_perf_read(int fd, struct kelvin_perf_reading *reading);

#endif
