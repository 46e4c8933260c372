// What the sampler needs of Linux, without a C library: a static program of some kilobytes that runs
// on any kernel since 2.6.32, whatever libc a board has. x86_64, aarch64 and armv7 (EABI).
#ifndef KELVIN_SAMPLER_SYSTEM_H
#define KELVIN_SAMPLER_SYSTEM_H

#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <stddef.h>
#include <stdint.h>

// The kernel's timespec of the architecture's own long. On armv7 seconds have 32 bits, which is
// enough: only CLOCK_MONOTONIC, CLOCK_BOOTTIME and CPU time are told.
struct instant {
  long seconds, nanoseconds;
};

enum { clock_monotonic = 1, clock_process_cpu = 2, clock_boottime = 7, absolute_time = 1 };

#if defined(__x86_64__)
static inline long call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static inline long call6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}
#elif defined(__arm__)
// r7 holds the number; it is Thumb's frame pointer, so the program is built as ARM code.
static inline long call6(long number, long a, long b, long c, long d, long e, long f) {
  register long r7 __asm__("r7") = number;
  register long r0 __asm__("r0") = a;
  register long r1 __asm__("r1") = b;
  register long r2 __asm__("r2") = c;
  register long r3 __asm__("r3") = d;
  register long r4 __asm__("r4") = e;
  register long r5 __asm__("r5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(r0)
                   : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
                   : "memory");
  return r0;
}
#else
#error "no start code for this architecture"
#endif

// Each gives what the kernel gives: a negative errno for a failure.
#define CALL(name, a, b, c, d) \
  call6(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline long system_read(int file, void *bytes, size_t count) {
  return CALL(read, file, bytes, count, 0);
}
static inline long system_write(int file, const void *bytes, size_t count) {
  return CALL(write, file, bytes, count, 0);
}
static inline long system_open(const char *path, int flags) {
  return CALL(openat, AT_FDCWD, path, flags, 0);
}
static inline void system_close(int file) { CALL(close, file, 0, 0, 0); }

// From offset 0.
static inline long system_read_start(int file, void *bytes, size_t count) {
#ifdef __arm__
  // A 64-bit argument begins at an even register.
  return call6(__NR_pread64, file, (long)bytes, (long)count, 0, 0, 0);
#else
  return CALL(pread64, file, bytes, count, 0);
#endif
}

// How many links a file that is open has; 1 when that cannot be told.
static inline long system_links(int file) {
#ifdef __arm__
  struct stat64 status;
  return CALL(fstat64, file, &status, 0, 0) == 0 ? (long)status.st_nlink : 1;
#else
  struct stat status;
  return CALL(fstat, file, &status, 0, 0) == 0 ? (long)status.st_nlink : 1;
#endif
}

static inline _Noreturn void system_exit(int status) {
  for (;;) CALL(exit_group, status, 0, 0, 0);
}

static inline void *system_map(size_t size) {
#ifdef __arm__
  long number = __NR_mmap2;
#else
  long number = __NR_mmap;
#endif
  // Its pages are there from the beginning, so that none is missing in the window.
  long address = call6(number, 0, (long)size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return address < 0 && address > -4096 ? NULL : (void *)address;
}

// MARK: time

typedef int (*clock_function)(int, struct instant *);
// The kernel's own code for reading the clock without a system call; NULL where there is none.
extern clock_function fast_clock;

static inline int64_t time_of(int clock) {
  struct instant now = {0, 0};
  if (!fast_clock || fast_clock(clock, &now) != 0) CALL(clock_gettime, clock, &now, 0, 0);
  return (int64_t)now.seconds * 1000000000 + now.nanoseconds;
}

static inline int64_t monotonic(void) { return time_of(clock_monotonic); }

// Without a compiler's library: 64 bits by 64 bits, for armv7, too. Rare, so that it may take its time.
static inline uint64_t divide(uint64_t number, uint64_t by, uint64_t *rest) {
  uint64_t quotient = 0, left = 0;
  for (int bit = 63; bit >= 0; bit--) {
    left = left << 1 | (number >> bit & 1);
    quotient <<= 1;
    if (left >= by) {
      left -= by;
      quotient |= 1;
    }
  }
  if (rest) *rest = left;
  return quotient;
}

static inline struct instant instant_of(int64_t nanoseconds) {
  uint64_t rest;
  struct instant result;
  result.seconds = (long)divide((uint64_t)nanoseconds, 1000000000, &rest);
  result.nanoseconds = (long)rest;
  return result;
}

// What the compiler may call by itself.
void *memset(void *, int, size_t);
void *memcpy(void *, const void *, size_t);

#endif
