#include "suspend.h"

#include "counts.h"
#include "samples.h"
#include "system.h"

int64_t asleep, suspends, slept;
static int has_boottime;
// What the kernel has counted; less than 0 where it does not.
static int64_t count;
// By how much CLOCK_BOOTTIME was ahead, and the monotonic time, at the last look.
static int64_t ahead, last;

// Less is the time between two readings; to freeze the processes alone takes longer.
enum { shortest = 1000000, close_enough = 20000, tries = 8 };
// Nobody freezes, sleeps and wakes in less, and who samples more slowly has the time to read the count each time.
enum { long_ago = 250000000 };

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
  has_boottime = time_of(clock_boottime) > 0;
  last = monotonic();
  if (has_boottime) ahead = read_closely(&last);
  count = count_suspends();
  return has_boottime || count >= 0;
}

void suspend_look(int64_t now) {
  int64_t from = last + asleep, time = 0;
  if (has_boottime && time_of(clock_boottime) - now - ahead > shortest) {
    int64_t more = read_closely(&now) - ahead;
    if (more > shortest) {
      ahead += more;
      asleep += more;
      time = more;
    }
  }
  if (time > 0 || (count >= 0 && now - last > long_ago)) {
    int64_t counted = count_suspends();
    // The clock went on, and does not tell for how much of what went by.
    if (time == 0 && counted > count) time = now - last;
    count = counted;
  }
  if (time > 0) {
    slept += time;
    store_add_suspend(++suspends, from, now + asleep, time);
  }
  last = now;
}
