// The few Linux facilities that Swift cannot import: variadic calls, system calls without a
// glibc wrapper, macros with arguments. No policy lives here.
#ifndef KELVIN_CLINUX_H
#define KELVIN_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "CLinuxChecksum.h"
#include "CLinuxGPIO.h"
#include "CLinuxTTY.h"
#include "CLinuxUSBFS.h"
#include "CLinuxOwner.h"
#include "CLinuxPerf.h"
#include "CLinuxTTY.h"
#include "CLinuxTerminal.h"

/// pidfd_open(2); glibc 2.36 declares it, Swift's Glibc module does not. Returns -1 with errno.
int kelvin_pidfd_open(pid_t pid, unsigned int flags);
/// pidfd_send_signal(2). Returns -1 with errno.
int kelvin_pidfd_send_signal(int pidfd, int signal);
/// prctl(PR_SET_CHILD_SUBREAPER). Returns -1 with errno.
int kelvin_set_child_subreaper(int enabled);
/// prctl(PR_SET_TIMERSLACK) for the calling thread, in nanoseconds.
int kelvin_set_timer_slack(unsigned long nanoseconds);
/// sched_setaffinity(2) for the calling thread (pid 0) or a process; bit n of mask[n / 64] is CPU n.
int kelvin_set_affinity(pid_t pid, const uint64_t *mask, int words);
/// SCHED_FIFO at the given priority for the calling thread. Returns an errno value, 0 on success.
int kelvin_set_fifo(int priority);
/// Caller's thread id.
pid_t kelvin_gettid(void);
/// nice(2) of the calling thread only (setpriority on its tid). Returns -1 with errno.
int kelvin_set_thread_nice(int value);
/// ioctl(TIOCGWINSZ): columns of the terminal, or -1.
int kelvin_terminal_columns(int fd);
/// open(2) with a mode; Swift sees open as variadic.
int kelvin_open(const char *path, int flags, mode_t mode);
/// getrusage(RUSAGE_SELF, RUSAGE_THREAD or RUSAGE_CHILDREN): user + system time in nanoseconds.
/// who: 0 self, 1 calling thread, -1 children.
int64_t kelvin_cpu_time(int who);

/// Names the calling thread; the kernel keeps 15 bytes.
void kelvin_set_thread_name(const char *name);
/// pipe2(2) with O_CLOEXEC, the reading end non-blocking. Returns -1 with errno.
int kelvin_pipe(int ends[2]);
/// posix_spawn(3) in a session of its own, with default signal handlers, an empty mask, and no
/// descriptors but its standard streams.
/// `directory` may be NULL; `input`, `output` and `error` become the standard streams, -1 means
/// /dev/null. Returns an errno value, 0 on success.
int kelvin_spawn(const char *path, char *const argv[], char *const environment[],
                 const char *directory, int input, int output, int error, pid_t *pid);
/// waitid(2) for all children without reaping: 1 when there are children, 0 when there are none.
int kelvin_has_children(void);
/// wait4(2) on one child: 1 reaped, 0 not yet (without WNOHANG never), -1 with errno.
int kelvin_reap(pid_t pid, int no_hang, int *status, int64_t *cpu_ns, int64_t *peak_bytes);
/// getrusage(RUSAGE_SELF): this process's peak memory in bytes.
int64_t kelvin_peak_memory(void);
/// The process's environment, for spawning.
char **kelvin_environment(void);
/// eventfd(2), non-blocking, closed on exec. Returns -1 with errno.
int kelvin_eventfd(void);
/* An epoll that is readable when any of these descriptors is; -1 on failure. */
int kelvin_any_of(const int *descriptors, int count);
/// memmem(3): where `needle` begins in `bytes`; NULL when it is not there.
const void *kelvin_find(const void *bytes, size_t count, const void *needle, size_t length);
/// statfs(2): the magic number of the file system at a path, 32 bits; -1 with errno.
int64_t kelvin_file_system_type(const char *path);

#endif
