#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
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

int kelvin_any_of(const int *descriptors, int count) {
  int all = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; all >= 0 && i < count; i++) {
    struct epoll_event interest = {.events = EPOLLIN};
    if (descriptors[i] < 0 || epoll_ctl(all, EPOLL_CTL_ADD, descriptors[i], &interest) == 0) continue;
    close(all);
    all = -1;
  }
  return all;
}

void kelvin_set_thread_name(const char *name) { prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); }

// Moves a descriptor away from 0...2, which it only gets when the program was started with a
// standard stream closed: a child's dup2 would overwrite it there.
static int above_standard(int descriptor) {
  if (descriptor < 0 || descriptor > 2) return descriptor;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  close(descriptor);
  return moved;
}

int kelvin_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  ends[0] = above_standard(ends[0]);
  ends[1] = above_standard(ends[1]);
  if (ends[0] < 0 || ends[1] < 0) return -1;
  return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int kelvin_spawn(const char *path, char *const argv[], char *const environment[],
                 const char *directory, int input, int output, int error, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t set;
  int status = posix_spawn_file_actions_init(&actions);
  if (status != 0) return status;
  status = posix_spawnattr_init(&attributes);
  if (status != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return status;
  }
  const int streams[3] = {input, output, error};
  for (int number = 0; number < 3 && status == 0; number++) {
    status = streams[number] >= 0
                 ? posix_spawn_file_actions_adddup2(&actions, streams[number], number)
                 : posix_spawn_file_actions_addopen(&actions, number, "/dev/null",
                                                    number == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  if (status == 0) status = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (status == 0 && directory != NULL)
    status = posix_spawn_file_actions_addchdir_np(&actions, directory);
  sigfillset(&set);
  posix_spawnattr_setsigdefault(&attributes, &set);
  sigemptyset(&set);
  posix_spawnattr_setsigmask(&attributes, &set);
  posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  if (status == 0) status = posix_spawn(pid, path, &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

int kelvin_has_children(void) {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

int kelvin_reap(pid_t pid, int no_hang, int *status, int64_t *cpu_ns, int64_t *peak_bytes) {
  struct rusage usage;
  pid_t reaped;
  do {
    reaped = wait4(pid, status, no_hang ? WNOHANG : 0, &usage);
  } while (reaped < 0 && errno == EINTR);
  if (reaped <= 0) return (int)reaped;
  *cpu_ns = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
            ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
  *peak_bytes = (int64_t)usage.ru_maxrss * 1024;
  return 1;
}

int64_t kelvin_peak_memory(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return (int64_t)usage.ru_maxrss * 1024;
}

extern char **environ;
char **kelvin_environment(void) { return environ; }

int64_t kelvin_file_system_type(const char *path) {
  struct statfs status;
  if (statfs(path, &status) != 0) return -1;
  return (int64_t)status.f_type & 0xffffffff;
}

const void *kelvin_find(const void *bytes, size_t count, const void *needle, size_t length) {
  return memmem(bytes, count, needle, length);
}
