// What the compiler calls by itself, where no C library has it.
#include "system.h"

void *memset(void *to, int byte, size_t count) {
  // volatile: else the compiler takes this loop for a memset.
  volatile char *bytes = to;
  for (size_t i = 0; i < count; i++) bytes[i] = (char)byte;
  return to;
}

void *memcpy(void *to, const void *from, size_t count) {
  volatile char *bytes = to;
  for (size_t i = 0; i < count; i++) bytes[i] = ((const char *)from)[i];
  return to;
}
