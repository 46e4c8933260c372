#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int kelvin_pidfd_open(pid_t pid, unsigned int flags) {
  return (int)syscall(SYS_pidfd_open, pid, flags);
}

int kelvin_pidfd_send_signal(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int kelvin_set_child_subreaper(int enabled) {
  return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)enabled, 0, 0, 0);
}

int kelvin_set_timer_slack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}

int kelvin_set_affinity(pid_t pid, const uint64_t *mask, int words) {
  // The raw call takes any length in bytes; glibc's cpu_set_t would stop at 1,024 CPUs.
  return (int)syscall(SYS_sched_setaffinity, pid, (size_t)words * 8, mask);
}

int kelvin_set_fifo(int priority) {
  struct sched_param parameters = {.sched_priority = priority};
  // The raw call acts on the calling thread; pid 0 of glibc's wrapper means the same.
  if (sched_setscheduler(0, SCHED_FIFO, &parameters) == 0) return 0;
  return errno;
}

pid_t kelvin_gettid(void) { return (pid_t)syscall(SYS_gettid); }

int kelvin_set_thread_nice(int value) {
  return setpriority(PRIO_PROCESS, (id_t)kelvin_gettid(), value);
}

int kelvin_terminal_columns(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
  return size.ws_col;
}

int kelvin_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

int64_t kelvin_cpu_time(int who) {
  struct rusage usage;
  int which = who == 0 ? RUSAGE_SELF : who == 1 ? RUSAGE_THREAD : RUSAGE_CHILDREN;
  if (getrusage(which, &usage) != 0) return 0;
  return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
         ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

int kelvin_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void kelvin_set_thread_name(const char *name) { prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); }
