#include "aes.h"

#include <string.h>

static uint8_t box[256], inverse[256];

// In GF(2^8) with the polynomial x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2).
static uint8_t multiply(uint8_t a, uint8_t b)
{
	uint8_t product = 0;
	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = a << 1 ^ (a & 0x80 ? 0x1b : 0);
	}
	return product;
}

// The substitution: the inverse in the field, then a sum of its rotations and 63 (5.1.1).
static void make_boxes(void)
{
	if (box[0])
		return;
	for (int value = 0; value < 256; value++) {
		uint8_t other = 0;
		for (int candidate = 1; candidate < 256 && value; candidate++)
			if (multiply(value, candidate) == 1)
				other = candidate;
		uint8_t sum = 0x63;
		for (int shift = 0; shift < 5; shift++)
			sum ^= (uint8_t)(other << shift | other >> (8 - shift));
		box[value] = sum;
		inverse[sum] = value;
	}
}

// Eleven round keys (5.2).
static void expand(const char *key, uint8_t keys[176])
{
	uint8_t constant = 1;
	memcpy(keys, key, 16);
	for (int place = 16; place < 176; place += 4) {
		uint8_t word[4];
		memcpy(word, keys + place - 4, 4);
		if (place % 16 == 0) {
			uint8_t first = word[0];
			for (int i = 0; i < 3; i++)
				word[i] = box[word[i + 1]];
			word[3] = box[first];
			word[0] ^= constant;
			constant = multiply(constant, 2);
		}
		for (int i = 0; i < 4; i++)
			keys[place + i] = keys[place - 16 + i] ^ word[i];
	}
}

static void add(uint8_t block[16], const uint8_t *key)
{
	for (int i = 0; i < 16; i++)
		block[i] ^= key[i];
}

// Substitutes, and rotates row r by r: columns stand one behind the other (5.1.2, 5.3.1).
static void substitute(uint8_t block[16], const uint8_t *by, int step)
{
	uint8_t old[16];
	memcpy(old, block, 16);
	for (int column = 0; column < 4; column++)
		for (int row = 0; row < 4; row++)
			block[4 * column + row] = by[old[4 * ((column + step * row) & 3) + row]];
}

static void mix(uint8_t block[16], const uint8_t by[4])
{
	for (int column = 0; column < 4; column++) {
		uint8_t old[4];
		memcpy(old, block + 4 * column, 4);
		for (int row = 0; row < 4; row++) {
			uint8_t sum = 0;
			for (int i = 0; i < 4; i++)
				sum ^= multiply(old[i], by[(i - row) & 3]);
			block[4 * column + row] = sum;
		}
	}
}

void aes_encrypt(const char *key, uint8_t block[16])
{
	static const uint8_t by[4] = {2, 3, 1, 1};
	uint8_t keys[176];
	make_boxes();
	expand(key, keys);
	add(block, keys);
	for (int round = 1; round <= 10; round++) {
		substitute(block, box, 1);
		if (round < 10)
			mix(block, by);
		add(block, keys + 16 * round);
	}
}

void aes_decrypt(const char *key, uint8_t block[16])
{
	static const uint8_t by[4] = {14, 11, 13, 9};
	uint8_t keys[176];
	make_boxes();
	expand(key, keys);
	for (int round = 10; round >= 1; round--) {
		add(block, keys + 16 * round);
		if (round < 10)
			mix(block, by);
		substitute(block, inverse, -1);
	}
	add(block, keys);
}
