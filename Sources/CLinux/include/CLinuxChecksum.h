#ifndef CLINUX_CHECKSUM_H
#define CLINUX_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// Finds 16 bytes whose CRC with the polynomial 0x04C11DB7, most significant bit first, from 0 on, is
/// that of `count` bytes from `before` on. Returns how many bytes they stand for, a multiple of 64; 0
/// where this processor has no such instructions, or they are too few.
size_t kelvin_cksum_fold(uint32_t before, const void *bytes, size_t count, unsigned char out[16]);

#endif
