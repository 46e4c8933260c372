#include "CLinuxChecksum.h"
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

/* x^n modulo 0x104C11DB7: what a half of 128 bits becomes n bits further on (Gopal and others, "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, for bits that are not
 * reflected). */
#define X576 0x8833794cLL
#define X512 0xe6228b11LL
#define X192 0xc5b9cd4cLL
#define X128 0xe8a45605LL

#define USES __attribute__((target("pclmul,ssse3")))

USES static __m128i load(const unsigned char *bytes) {
  const __m128i reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes), reverse);
}

USES static __m128i fold(__m128i value, __m128i by, __m128i next) {
  __m128i high = _mm_clmulepi64_si128(value, by, 0x11), low = _mm_clmulepi64_si128(value, by, 0x00);
  return _mm_xor_si128(_mm_xor_si128(high, low), next);
}

USES static size_t run(uint32_t before, const unsigned char *bytes, size_t count, unsigned char *out) {
  const __m128i far = _mm_set_epi64x(X576, X512), near = _mm_set_epi64x(X192, X128);
  __m128i a = _mm_xor_si128(load(bytes), _mm_set_epi64x((int64_t)((uint64_t)before << 32), 0));
  __m128i b = load(bytes + 16), c = load(bytes + 32), d = load(bytes + 48);
  size_t done = 64;
  for (; done + 64 <= count; done += 64) {
    a = fold(a, far, load(bytes + done));
    b = fold(b, far, load(bytes + done + 16));
    c = fold(c, far, load(bytes + done + 32));
    d = fold(d, far, load(bytes + done + 48));
  }
  b = fold(a, near, b);
  c = fold(b, near, c);
  d = fold(c, near, d);
  unsigned char value[16];
  _mm_storeu_si128((__m128i *)value, d);
  for (int i = 0; i < 16; i++) out[i] = value[15 - i];
  return done;
}

size_t kelvin_cksum_fold(uint32_t before, const void *bytes, size_t count, unsigned char out[16]) {
  if (count < 256 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("ssse3")) return 0;
  return run(before, bytes, count, out);
}
#else
size_t kelvin_cksum_fold(uint32_t before, const void *bytes, size_t count, unsigned char out[16]) {
  (void)before, (void)bytes, (void)count, (void)out;
  return 0;
}
#endif
