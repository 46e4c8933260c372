#include "counts.h"

#include "system.h"

struct counts counted;

// Reads a decimal number at `text`; -1 where there is none.
int64_t number_at(const char *text) {
  int64_t number = 0;
  if (*text < '0' || *text > '9') return -1;
  for (; *text >= '0' && *text <= '9'; text++) {
    if (number > 922337203685477579) return -1;
    number = number * 10 + (*text - '0');
  }
  return number;
}

// The text of a file, ended by a NUL; empty when it cannot be read. Valid until the next call.
static const char *text_of(const char *path) {
  static char text[1 << 16];
  size_t count = 0;
  long file = system_open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    while (count < sizeof text - 1) {
      long got = system_read((int)file, text + count, sizeof text - 1 - count);
      if (got <= 0) break;
      count += (size_t)got;
    }
    system_close((int)file);
  }
  text[count] = 0;
  return text;
}

// The processes that the board has started since it booted.
static int64_t forks_of_board(void) {
  static const char name[] = "\nprocesses ";
  for (const char *text = text_of("/proc/stat"); *text; text++) {
    size_t i = 0;
    while (i < sizeof name - 1 && text[i] == name[i]) i++;
    if (i == sizeof name - 1) return number_at(text + i);
  }
  return -1;
}

// CPU nanoseconds of the parent, and how often it was given a CPU: one for each time that it woke up.
static void look_at_link(int64_t *cpu, int64_t *runs) {
  char path[40] = "/proc/", digits[12];
  size_t length = 6, count = 0;
  uint64_t parent = (uint64_t)CALL(getppid, 0, 0, 0, 0), digit;
  do {
    parent = divide(parent, 10, &digit);
    digits[count++] = (char)('0' + digit);
  } while (parent > 0);
  while (count > 0) path[length++] = digits[--count];
  for (const char *rest = "/schedstat"; *rest; rest++) path[length++] = *rest;
  path[length] = 0;
  const char *text = text_of(path);
  *cpu = number_at(text);
  for (int word = 0; word < 2 && *text; word++) {
    while (*text && *text != ' ') text++;
    if (*text) text++;
  }
  *runs = number_at(text);
}

int64_t count_suspends(void) { return number_at(text_of("/sys/power/suspend_stats/success")); }

void count_usage(int sign) {
  struct rusage usage;
  if (CALL(getrusage, RUSAGE_SELF, &usage, 0, 0) == 0) {
    counted.switches += sign * (int64_t)usage.ru_nvcsw;
    counted.preemptions += sign * (int64_t)usage.ru_nivcsw;
    counted.faults += sign * (int64_t)(usage.ru_minflt + usage.ru_majflt);
  }
  counted.cpu += sign * time_of(clock_process_cpu);
}

void count_board(int is_end) {
  static int64_t cpu, runs, forks;
  if (!is_end) {
    look_at_link(&cpu, &runs);
    forks = forks_of_board();
    return;
  }
  int64_t last_forks = forks_of_board();
  look_at_link(&counted.link_cpu, &counted.link_runs);
  counted.link_cpu = cpu < 0 || counted.link_cpu < 0 ? -1 : counted.link_cpu - cpu;
  counted.link_runs = runs < 0 || counted.link_runs < 0 ? -1 : counted.link_runs - runs;
  counted.forks = forks < 0 || last_forks < 0 ? -1 : last_forks - forks;
}
