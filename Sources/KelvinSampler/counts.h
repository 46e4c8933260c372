// What is counted from start to stop: the ticks, and what the sampling costs the board.
#ifndef KELVIN_SAMPLER_COUNTS_H
#define KELVIN_SAMPLER_COUNTS_H

#include <stdint.h>

extern struct counts {
  int64_t begin, end, ticks, taken, late, overruns, lateness, most_late, cpu;
  int64_t switches, preemptions, faults, bytes_out, bytes_in;
  // What the process does that holds the link's other end on the board, and the board as a whole; less
  // than 0 where the kernel does not say.
  int64_t link_cpu, link_runs, forks;
} counted;

// Reads a decimal number at `text`; -1 where there is none.
int64_t number_at(const char *text);
// Adds (1) or subtracts (-1) what the process has used so far.
void count_usage(int sign);
// How often the board has slept since it booted (Linux 5.4 and later); -1 where the kernel does not say.
int64_t count_suspends(void);
// Notes what link and board have done so far, and at the end the difference.
void count_board(int is_end);

#endif
