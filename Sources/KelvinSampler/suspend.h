// Suspends of the board: CLOCK_MONOTONIC stands still meanwhile, CLOCK_BOOTTIME does not.
#ifndef KELVIN_SAMPLER_SUSPEND_H
#define KELVIN_SAMPLER_SUSPEND_H

#include <stdint.h>

// How long the board has slept since the program began, in nanoseconds, and how often. What is told to the host is
// the monotonic time plus `asleep`: a clock that goes on. Ticks are of the monotonic one.
extern int64_t asleep, suspends;

// Gives 0 where the kernel has no CLOCK_BOOTTIME (before 2.6.39): a suspend then goes unnoticed.
int suspend_prepare(void);
// Looks for a suspend since the last look, and stores what there is to tell; `now` is the monotonic time, read just
// before.
void suspend_look(int64_t now);

#endif
