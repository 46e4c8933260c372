#include "suspend.h"

#include "samples.h"
#include "system.h"

int64_t asleep, suspends;
static int is_known;
// By how much CLOCK_BOOTTIME was ahead, and the monotonic time, at the last look.
static int64_t ahead, last;

// Less is the time between two readings; to freeze the processes alone takes longer.
enum { shortest = 1000000, close_enough = 20000, tries = 8 };

// Reads both clocks as closely together as can be had: a process that is put aside between two readings is no suspend.
static int64_t read_closely(int64_t *now) {
  int64_t least = INT64_MAX, difference = 0;
  for (int i = 0; i < tries && least > close_enough; i++) {
    int64_t before = monotonic(), time = time_of(clock_boottime), width = monotonic() - before;
    if (width >= least) continue;
    least = width;
    *now = before + (width >> 1);
    difference = time - *now;
  }
  return difference;
}

int suspend_prepare(void) {
  is_known = time_of(clock_boottime) > 0;
  if (is_known) ahead = read_closely(&last);
  return is_known;
}

void suspend_look(int64_t now) {
  if (!is_known) return;
  if (time_of(clock_boottime) - now - ahead > shortest) {
    int64_t slept = read_closely(&now) - ahead;
    if (slept > shortest) {
      ahead += slept;
      int64_t from = last + asleep;
      asleep += slept;
      store_add_suspend(++suspends, from, now + asleep, slept);
    }
  }
  last = now;
}
