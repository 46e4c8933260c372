// The sampler's output: frames of at most 4096 bytes, each whole in one write(2).
//
//   C5 4B  TYPE  LENGTH (2 bytes, little endian, of the payload)  PAYLOAD  CRC (4 bytes, little endian)
//
// The CRC is IEEE 802.3's, over type, length and payload. Numbers in payloads are varints: seven bits
// a byte, the lowest first, bit 7 set in all but the last. Signed ones are folded: 0, -1, 1, -2 ... are
// 0, 1, 2, 3 ...
#ifndef KELVIN_SAMPLER_FRAMES_H
#define KELVIN_SAMPLER_FRAMES_H

#include <stddef.h>
#include <stdint.h>

enum { frame_size = 4096, header_size = 5, check_size = 4 };

struct frame {
  // Bytes so far, the header included.
  size_t count;
  uint8_t bytes[frame_size];
};

void frames_prepare(void);
void frame_begin(struct frame *, char type);
// Writes length and check.
void frame_end(struct frame *);

static inline void put(struct frame *frame, uint64_t number) {
  while (number > 127) {
    frame->bytes[frame->count++] = (uint8_t)(number | 128);
    number >>= 7;
  }
  frame->bytes[frame->count++] = (uint8_t)number;
}

static inline uint64_t folded(int64_t number) {
  return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline void put_signed(struct frame *frame, int64_t number) { put(frame, folded(number)); }

#endif
