// AES-128 (FIPS 197) of single blocks, for behaviors whose devices encipher; no matter how slow.
#ifndef KELVIN_GADGETS_AES_H
#define KELVIN_GADGETS_AES_H

#include <stdint.h>

void aes_encrypt(const char *key, uint8_t block[16]);
void aes_decrypt(const char *key, uint8_t block[16]);

#endif
