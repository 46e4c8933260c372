// Suspends of the board: CLOCK_MONOTONIC stands still meanwhile, CLOCK_BOOTTIME does not. Not always: in a suspend to
// idle on a board without states of idleness in which the kernel stops its clocks (kernel/sched/idle.c,
// cpuidle_idle_call; kernel/time/tick-common.c, tick_freeze) both go on. Then the kernel's count of suspends tells,
// which is read where nothing was done for a while.
#ifndef KELVIN_SAMPLER_SUSPEND_H
#define KELVIN_SAMPLER_SUSPEND_H

#include <stdint.h>

// For how long the monotonic clock has stood still since the program began, in nanoseconds. What is told to the host is
// the monotonic time plus that: a clock that goes on. Ticks are of the monotonic one.
extern int64_t asleep;
// How often and how long the board has slept since then.
extern int64_t suspends, slept;

// Gives 0 where a suspend goes unnoticed: the kernel has no CLOCK_BOOTTIME (before 2.6.39), nor counts.
int suspend_prepare(void);
// Looks for a suspend since the last look, and stores what there is to tell; `now` is the monotonic time, read just
// before.
void suspend_look(int64_t now);

#endif
