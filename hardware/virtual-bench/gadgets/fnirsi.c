// FNIRSI's USB testers on the wire: HID reports of 64 bytes, each of four samples. Protocol:
// baryluk/fnirsi-usb-power-data-logger and PyPI's usb-multimeter; that they stop a second after they were told last:
// fqueze/usb-power-profiling. It must be somewhat more, since usb-multimeter tells them to go on just after a second.
//
// What it says is known for each sample, and D+ is the sample's number (modulo 50000): see `put_sample`.
#include "behavior.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPORT = 64, IN_ONE = 4, STEP_NS = 40000000, HOLD_NS = 1500000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int64_t until_ns, next_ns, number;
static int has_answer;

// What goes wrong: at reports, counted from 0; -1: never.
static struct {
	long drop_at, drop_count, damage_at, silent_at, unplug_at;
	int is_foreign, has_no_sum, is_deaf;
} faults = {.drop_at = -1, .damage_at = -1, .silent_at = -1, .unplug_at = -1};

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static uint8_t sum(const uint8_t *data, int length)
{
	unsigned rest = 0x42;
	for (int i = 0; i < length; i++) {
		rest ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			rest = rest & 0x80 ? (rest << 1 ^ 0x39) & 0xff : rest << 1 & 0xff;
	}
	return rest;
}

static void put(uint8_t **place, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*(*place)++ = value >> 8 * i;
}

// 300 mA for 60 samples of 100, 1 A for 40, and 10 uA for each of them on top; 5.1 V, less 50 mohm.
static void put_sample(uint8_t **place, int64_t sample)
{
	uint32_t current = (sample % 100 < 60 ? 30000 : 100000) + sample % 100;
	put(place, 510000 - current / 20, 4);
	put(place, current, 4);
	put(place, sample % 50000, 2);
	put(place, 580, 2);
	put(place, 1, 1);
	put(place, 311, 2);
}

static int put_report(uint8_t *data)
{
	uint8_t *place = data;
	put(&place, faults.is_foreign ? 0x4141 : 0x04aa, 2);
	for (int i = 0; i < IN_ONE; i++)
		put_sample(&place, number * IN_ONE + i);
	put(&place, 0x5a, 1);
	put(&place, faults.has_no_sum ? 0 : sum(data + 1, REPORT - 2), 1);
	if (number == faults.damage_at)
		data[20] ^= 8;
	return REPORT;
}

static int control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	(void)data;
	return request->bRequestType == 0x21 && request->bRequest == 0x0a ? 0 : STALL;  // SET_IDLE
}

static void consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	if (length != REPORT || data[0] != 0xaa || data[REPORT - 1] != sum(data + 1, REPORT - 2)) {
		report("torn %d", length);
		return;
	}
	pthread_mutex_lock(&lock);
	int is_sending = now_ns() < until_ns;
	if (data[1] == 0x81)
		has_answer = 1;
	if (!faults.is_deaf && (data[1] == 0x82 || (data[1] == 0x83 && is_sending))) {
		if (!is_sending)
			next_ns = now_ns() + STEP_NS;
		until_ns = now_ns() + HOLD_NS;
	}
	report("told %02x", data[1]);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int produce(int endpoint, uint8_t *data)
{
	if (endpoint != 0)
		for (;;)
			pause();
	int length = 0;
	pthread_mutex_lock(&lock);
	while (length == 0) {
		if (has_answer) {
			has_answer = 0;
			memset(data, 0, REPORT);
			data[0] = 0xaa;
			data[1] = 0x03;
			length = REPORT;
			break;
		}
		if (number == faults.unplug_at)
			_exit(0);
		if (now_ns() >= until_ns || number == faults.silent_at) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		if (now_ns() < next_ns) {
			pthread_mutex_unlock(&lock);
			usleep(1000);
			pthread_mutex_lock(&lock);
			continue;
		}
		if (number == faults.drop_at) {
			report("dropped %ld", faults.drop_count);
			number += faults.drop_count;
			next_ns += faults.drop_count * STEP_NS;
			faults.drop_at = -1;
			continue;
		}
		length = put_report(data);
		number++;
		next_ns += STEP_NS;
	}
	pthread_mutex_unlock(&lock);
	return length;
}

// Words such as drop=30:2,damage=50: see README.md.
static void configure(const char *words)
{
	char *copy = strdup(words ? words : "");
	for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '=');
		if (value)
			*value++ = 0;
		else
			value = "";
		long count = strtol(value, NULL, 0);
		if (!strcmp(word, "drop"))
			faults.drop_at = count, faults.drop_count = atol(strchr(value, ':') ? strchr(value, ':') + 1 : "1");
		else if (!strcmp(word, "damage"))
			faults.damage_at = count;
		else if (!strcmp(word, "silent"))
			faults.silent_at = count;
		else if (!strcmp(word, "unplug"))
			faults.unplug_at = count;
		else if (!strcmp(word, "foreign"))
			faults.is_foreign = 1;
		else if (!strcmp(word, "no-sum"))
			faults.has_no_sum = 1;
		else if (!strcmp(word, "deaf"))
			faults.is_deaf = 1;
		else {
			fprintf(stderr, "fnirsi: no such word: %s\n", word);
			exit(2);
		}
	}
	free(copy);
}

// Reports of 64 bytes in and out, of the vendor's own meaning.
static const uint8_t report_descriptor[] = {
	0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40,
	0x09, 0x01, 0x81, 0x02, 0x95, 0x40, 0x09, 0x01, 0x91, 0x02, 0xc0
};

#define TESTER(NAME, VENDOR, PRODUCT, TEXT) \
	{ .name = NAME, .help = "a USB tester of FNIRSI's; --with says what goes wrong", .vendor = VENDOR, \
	  .product = PRODUCT, .interface_class = 3, .manufacturer_text = "FNIRSI", .product_text = TEXT, \
	  .report_descriptor = report_descriptor, .report_descriptor_length = sizeof report_descriptor, \
	  .endpoint_count = 2, .endpoints = {{0x81, USB_ENDPOINT_XFER_INT, REPORT, 4}, \
	                                     {0x01, USB_ENDPOINT_XFER_INT, REPORT, 4}}, \
	  .control = control, .produce = produce, .consume = consume, .configure = configure }

const struct behavior fnirsi_behaviors[2] = {
	TESTER("fnb58", 0x2e3c, 0x5558, "FNB58"), TESTER("fnb48", 0x0483, 0x003a, "FNB-48")
};
