#include "frames.h"

static uint32_t table[256];

void frames_prepare(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    table[byte] = value;
  }
}

void frame_begin(struct frame *frame, char type) {
  frame->bytes[0] = 0xc5;
  frame->bytes[1] = 0x4b;
  frame->bytes[2] = (uint8_t)type;
  frame->count = header_size;
}

void frame_end(struct frame *frame) {
  size_t length = frame->count - header_size;
  frame->bytes[3] = (uint8_t)length;
  frame->bytes[4] = (uint8_t)(length >> 8);
  uint32_t check = ~0u;
  for (size_t i = 2; i < frame->count; i++) check = check >> 8 ^ table[(check ^ frame->bytes[i]) & 255];
  check = ~check;
  for (int i = 0; i < 4; i++) frame->bytes[frame->count++] = (uint8_t)(check >> (8 * i));
}
