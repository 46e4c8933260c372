// Tells the thread sanitizer of the slow paths of Swift's Mutex, when it is loaded first (LD_PRELOAD).
//
// Mutex.withLock is inlined, and so instrumented, as long as nobody waits: one compare-and-exchange.
// Whoever meets a locked mutex, and whoever unlocks one that others wait for, calls a function of
// libswiftSynchronization.so, which is not instrumented: then the sanitizer sees the accesses on both
// sides and nothing between them, and reports a race. Swift 6.3, stdlib/public/Synchronization/Mutex.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

// How Swift's methods are called: the mutex itself is in the context register.
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

static void (*acquire)(void *);
static void (*release)(void *);
static SWIFT void (*next_lock)(uint32_t thread, SELF void *mutex);
static SWIFT void (*next_unlock)(SELF void *mutex);

// Before there is a second thread. Programs without the sanitizer, or without Mutex, are left as they
// are.
__attribute__((constructor)) static void find(void) {
  *(void **)&acquire = dlsym(RTLD_DEFAULT, "__tsan_acquire");
  *(void **)&release = dlsym(RTLD_DEFAULT, "__tsan_release");
  *(void **)&next_lock = dlsym(RTLD_NEXT, LOCK_SLOW);
  *(void **)&next_unlock = dlsym(RTLD_NEXT, UNLOCK_SLOW);
}

SWIFT void lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK_SLOW);
SWIFT void lock_slow(uint32_t thread, SELF void *mutex) {
  next_lock(thread, mutex);
  if (acquire) acquire(mutex);
}

SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK_SLOW);
SWIFT void unlock_slow(SELF void *mutex) {
  if (release) release(mutex);
  next_unlock(mutex);
}
