#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
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

int kelvin_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

const void *kelvin_find(const void *bytes, size_t count, const void *needle, size_t needle_count) {
  return memmem(bytes, count, needle, needle_count);
}

int kelvin_spawn(pid_t *pid, const char *path, char *const *argv, char *const *envp,
                 const char *directory, int input, int output, int error) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  sigset_t none, all;
  int result = posix_spawnattr_init(&attributes);
  if (result != 0) return result;
  result = posix_spawn_file_actions_init(&actions);
  if (result != 0) {
    posix_spawnattr_destroy(&attributes);
    return result;
  }
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  // Only memory can fail here.
  result = posix_spawn_file_actions_adddup2(&actions, input, 0);
  if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, output, 1);
  if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, error, 2);
  if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (result == 0 && directory != NULL) {
    result = posix_spawn_file_actions_addchdir_np(&actions, directory);
  }
  if (result == 0) result = posix_spawn(pid, path, &actions, &attributes, argv, envp);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return result;
}
