// ChargerLAB's USB testers POWER-Z KM003C and KM002C: their first interface, with values of the moment, the queue,
// and the pieces of memory that say who they are. Protocol: okhsunrog/km003c-protocol-research, docs; the kernel's
// drivers/hwmon/powerz.c.
//
// What goes through it is known for each millisecond since it was told to queue: see `truth`.
#include "aes.h"
#include "behavior.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 48, SAMPLE = 20, SLOTS = 64, ROOM = 4096 };
enum { VALUES = 1, QUEUE = 2 };

static const char *memory_key = "Lh2yfB7n6X7d9a5Z", *queue_key = "Fa0b4tA25f4R038a";
static const uint8_t hardware[12] = {'0', '7', '1', 'K', 'B', 'P', 0x0d, 0xff, 0x11, 0x0a, 0xff, 0xff};
static const int steps[] = {500, 100, 20, 1};  // milliseconds between samples, by the index of StartGraph

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct {
	const char *model;
	int level, is_queueing, rate;
	int64_t start_ns, next;  // of the queue: the next sample's number
	long commands, queue_replies;
	struct { int length; int64_t due_ns; uint8_t data[ROOM]; } out[SLOTS];
	unsigned in, taken;
} unit = {.rate = 3};

// What goes wrong, or otherwise; counted from 1, 0: never. Commands count all, replies those that hold samples.
static struct {
	long unplug_at, silent_at, stray_at, cut_at, tail_at, nonsense_at, reject, lose_at, lose_count, twice_at,
		back_at, end_at, late_ms, first, sign, fifo;
	int is_stranger, has_no_memory, is_foreign, is_reader_paced, ends_empty, is_stale;
	double skew;
} faults = {.first = 65000, .sign = 1, .fifo = 1000000000};

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void put16(uint8_t *data, int value)
{
	data[0] = value;
	data[1] = value >> 8;
}

static void put32(uint8_t *data, uint32_t value)
{
	put16(data, value);
	put16(data + 2, value >> 16);
}

static uint32_t get32(const uint8_t *data)
{
	return data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24;
}

struct moment { int32_t volts, amperes; int lines[4], temperature; };

// At a millisecond: 5 V and a saw of 3.7 mV; 100 mA for 0.6 s, then 1.5 A for 0.4 s, with a saw of 0.54 mA; lines
// in millivolts; temperature in 1/128 degree.
static struct moment truth(int64_t time)
{
	struct moment moment = {
		5000000 + time % 100 * 37, (time % 1000 < 600 ? 100000 : 1500000) + time % 50 * 11,
		{1650 + time % 7, 20 + time % 3, 600 + time % 5, 590 + time % 4}, 3200 + time / 1000 % 8
	};
	moment.amperes *= faults.sign;
	return moment;
}

static int64_t elapsed_ms(void)
{
	return (now_ns() - unit.start_ns) * (1 + faults.skew) / 1e6;
}

static uint32_t checksum(const uint8_t *data, int length)
{
	uint32_t rest = ~0u;
	while (length--) {
		rest ^= *data++;
		for (int i = 0; i < 8; i++)
			rest = rest & 1 ? rest >> 1 ^ 0xedb88320 : rest >> 1;
	}
	return ~rest;
}

static void send_bytes(const uint8_t *data, int length)
{
	if (unit.in - unit.taken >= SLOTS)
		return;
	unsigned slot = unit.in++ % SLOTS;
	memcpy(unit.out[slot].data, data, length);
	unit.out[slot].length = length;
	unit.out[slot].due_ns = now_ns() + faults.late_ms * 1000000LL;
	pthread_cond_broadcast(&changed);
}

static void send_control(int type, int number)
{
	uint8_t data[4] = {type, number, 0, 0};
	send_bytes(data, 4);
}

// MARK: values and the queue

static int put_part(uint8_t *data, int attribute, int is_followed, int chunk, int size)
{
	put32(data, attribute | is_followed << 15 | chunk << 16 | (uint32_t)size << 22);
	return 4;
}

static int put_values(uint8_t *data)
{
	struct moment moment = truth(elapsed_ms());
	memset(data, 0, 44);
	for (int i = 0; i < 3; i++) {  // now, averages, and averages without calibration
		put32(data + 8 * i, moment.volts + i);
		put32(data + 8 * i + 4, moment.amperes + i);
	}
	put16(data + 24, moment.temperature);
	for (int i = 0; i < 4; i++)
		put16(data + 26 + 2 * i, moment.lines[i] * 10);
	put16(data + 34, 33000);
	data[36] = unit.rate;
	return 44;
}

static void put_sample(uint8_t *data, int64_t number)
{
	int64_t time = number * steps[unit.rate];
	struct moment moment = truth(time);
	int count = faults.first + time - (faults.back_at && number >= faults.back_at ? 200 : 0);
	put16(data, count);
	put16(data + 2, number % 2 ? 0x3b : 0x3c);
	put32(data + 4, moment.volts);
	put32(data + 8, moment.amperes);
	for (int i = 0; i < 4; i++)
		put16(data + 12 + 2 * i, moment.lines[i] * (unit.rate == 0 ? 10 : 1));
}

// Puts what is queued, at most MOST samples; returns how many.
static int put_queue(uint8_t *data)
{
	int count = 0;
	int64_t due = faults.is_reader_paced ? unit.next + 40 : elapsed_ms() / steps[unit.rate];
	if (faults.end_at && due > faults.end_at)
		due = faults.end_at;
	if (due - unit.next > faults.fifo) {
		report("overrun %lld", (long long)(due - unit.next - faults.fifo));
		unit.next = due - faults.fifo;
	}
	while (unit.is_queueing && unit.level && unit.next < due && count < MOST) {
		if (faults.lose_at && unit.next == faults.lose_at) {
			report("lost %ld", faults.lose_count);
			unit.next += faults.lose_count;
			faults.lose_at = 0;
			continue;
		}
		put_sample(data + SAMPLE * count++, unit.next);
		if (faults.twice_at && unit.next == faults.twice_at)
			faults.twice_at = 0;  // the same again
		else
			unit.next++;
	}
	return count;
}

static void send_data(int number, int mask)
{
	uint8_t data[ROOM] = {0x41, number};
	int length = 4;
	if (unit.level == 0)
		mask &= VALUES;
	uint8_t samples[MOST * SAMPLE];
	int count = mask & QUEUE ? put_queue(samples) : 0;
	if (mask & VALUES) {
		length += put_part(data + length, VALUES, count > 0, 0, 44);
		length += put_values(data + length);
	}
	if (count) {
		length += put_part(data + length, QUEUE, 0, count, SAMPLE);
		memcpy(data + length, samples, count * SAMPLE);
		length += count * SAMPLE;
	}
	put16(data + 2, length > 4 ? (length / 4 - 3) << 6 : 0);
	if (mask & (VALUES | QUEUE) && length > 4)
		unit.queue_replies++;
	if (faults.nonsense_at && unit.queue_replies >= faults.nonsense_at)
		put32(data + 4, 0xffffffff);
	if (unit.queue_replies == faults.tail_at)
		length += 4;
	if (unit.queue_replies == faults.cut_at && length > 30) {
		report("cut %d", count);
		length = 30;
	}
	send_bytes(data, length);
}

// MARK: who it is

static int fill_memory(uint32_t address, uint8_t data[64])
{
	memset(data, 0, 64);
	switch (address) {
	case 0x420:
		strcpy((char *)data + 0x10, unit.model);
		strcpy((char *)data + 0x1c, "2.1");
		strcpy((char *)data + 0x28, "2022.11.7");
		return 64;
	case 0x4420:
		put32(data, 0x4000);
		strcpy((char *)data + 0x10, unit.model);
		strcpy((char *)data + 0x1c, "1.9.9");
		strcpy((char *)data + 0x28, "2025.9.22");
		return 64;
	case 0x3000c00:
		memcpy(data, "007965 CDFDDF2886FD40AF8F05E149624C3892 1667800000 LYS5", 55);
		return 64;
	case 0x40010450:
		memcpy(data, hardware, sizeof hardware);
		return 16;
	default: return 0;
	}
}

static void read_memory(const uint8_t *request, int length)
{
	uint8_t plain[32], reply[20] = {0xc4, request[1], 1, 1}, data[64];
	if (length != 36)
		return send_control(0x06, request[1]);
	memcpy(plain, request + 4, 32);
	aes_decrypt(memory_key, plain);
	aes_decrypt(memory_key, plain + 16);
	uint32_t address = get32(plain), size = get32(plain + 4);
	if (get32(plain + 8) != 0xffffffff || get32(plain + 12) != checksum(plain, 12))
		return send_control(0x06, request[1]);
	int count = faults.has_no_memory ? 0 : fill_memory(address, data);
	report("memory %x %u", address, size);
	if ((uint32_t)count < size)
		return send_control(0x27, request[1]);
	memcpy(reply + 4, plain, 16);
	send_bytes(reply, sizeof reply);
	for (int place = 0; place < count; place += 16)
		aes_encrypt(memory_key, data + place);
	send_bytes(data, count);
}

static void authenticate(const uint8_t *request, int length)
{
	uint8_t reply[36] = {0x4c, 0, 1, 2};
	if (length != 36)
		return send_control(0x06, request[1]);
	memcpy(reply + 4, request + 4, 32);
	aes_decrypt(queue_key, reply + 4);
	aes_decrypt(queue_key, reply + 20);
	unit.level = !faults.is_stranger && !memcmp(reply + 12, hardware, sizeof hardware);
	reply[2] |= unit.level << 1;
	report("level %d", unit.level);
	aes_encrypt("FX0b4tA25f4R038a", reply + 4);
	aes_encrypt("FX0b4tA25f4R038a", reply + 20);
	send_bytes(reply, sizeof reply);
}

// MARK: commands

static void obey(const uint8_t *request, int length)
{
	int type = request[0] & 0x7f, number = request[1], attribute = (request[2] | request[3] << 8) >> 1;
	if (faults.is_foreign)
		return send_bytes((const uint8_t *)"hello, I am something else entirely\r\n", 37);
	if (faults.stray_at == unit.commands) {
		uint8_t old[4] = {0x41, number - 7, 0, 0};
		send_bytes(old, sizeof old);
	}
	if (faults.reject && type == faults.reject)
		return send_control(0x06, number);
	switch (type) {
	case 0x02: report("connect"); break;
	case 0x03: report("disconnect"); break;
	case 0x0c: return send_data(number, attribute);
	case 0x0e:
		if (attribute > 3)
			return send_control(0x06, number);
		unit.rate = attribute;
		unit.is_queueing = 1;
		unit.next = 0;
		unit.start_ns = now_ns();
		report("graph %d", attribute);
		break;
	case 0x0f:
		report("stop after %lld", (long long)unit.next);
		unit.is_queueing = 0;
		break;
	case 0x44: return read_memory(request, length);
	case 0x4c: return authenticate(request, length);
	default: return send_control(0x06, number);
	}
	send_control(0x05, number);
}

static void consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	if (length < 4)
		return;
	pthread_mutex_lock(&lock);
	unit.commands++;
	if (faults.unplug_at && unit.commands >= faults.unplug_at)
		_exit(0);
	if (!faults.silent_at || unit.commands < faults.silent_at)
		obey(data, length);
	pthread_mutex_unlock(&lock);
}

static int produce(int endpoint, uint8_t *data)
{
	static int owes_empty;
	if (endpoint != 1)
		for (;;)
			pause();
	if (owes_empty)
		return owes_empty = 0;
	pthread_mutex_lock(&lock);
	while (unit.in == unit.taken)
		pthread_cond_wait(&changed, &lock);
	unsigned slot = unit.taken % SLOTS;
	int64_t wait = unit.out[slot].due_ns - now_ns();
	pthread_mutex_unlock(&lock);
	if (wait > 0)
		usleep(wait / 1000);
	pthread_mutex_lock(&lock);
	int length = unit.out[slot].length;
	memcpy(data, unit.out[slot].data, length);
	unit.taken++;
	pthread_mutex_unlock(&lock);
	owes_empty = faults.ends_empty && length % 64 == 0;
	return length;
}

static int control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	(void)request;
	(void)data;
	return STALL;
}

// Words such as late=200,lose=300:25,stranger: see README.md.
static void configure(const char *model, const char *words)
{
	unit.model = model;
	unit.start_ns = now_ns();
	struct { const char *name; long *place; } numbers[] = {
		{"unplug", &faults.unplug_at}, {"silent", &faults.silent_at}, {"stray", &faults.stray_at},
		{"cut", &faults.cut_at}, {"tail", &faults.tail_at}, {"nonsense", &faults.nonsense_at},
		{"reject", &faults.reject}, {"lose", &faults.lose_at}, {"twice", &faults.twice_at},
		{"back", &faults.back_at}, {"end", &faults.end_at}, {"late", &faults.late_ms},
		{"first", &faults.first}, {"sign", &faults.sign}, {"fifo", &faults.fifo}
	};
	struct { const char *name; int *place; } flags[] = {
		{"stranger", &faults.is_stranger}, {"no-memory", &faults.has_no_memory},
		{"foreign", &faults.is_foreign}, {"empty", &faults.ends_empty}, {"stale", &faults.is_stale}
	};
	char *copy = strdup(words ? words : "");
	for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '='), *rest = NULL;
		if (value)
			*value++ = 0;
		else
			value = "";
		long number = strtol(value, &rest, 0);
		int is_known = 0;
		for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
			if (!strcmp(word, numbers[i].name)) {
				*numbers[i].place = number;
				is_known = 1;
			}
		for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
			if (!strcmp(word, flags[i].name))
				*flags[i].place = is_known = 1;
		if (!strcmp(word, "lose"))
			faults.lose_count = *rest == ':' ? atol(rest + 1) : 1;
		else if (!strcmp(word, "skew-ppm"))
			faults.skew = number * 1e-6;
		else if (!strcmp(word, "pace"))
			faults.is_reader_paced = !strcmp(value, "reader");
		else if (!is_known) {
			fprintf(stderr, "km003c: no such word: %s\n", word);
			exit(2);
		}
	}
	free(copy);
	if (faults.is_stale) {  // what a predecessor that was killed has not read
		uint8_t old[64] = {0x41, 1};
		for (int i = 0; i < 2; i++)
			send_bytes(old, sizeof old);
	}
}

static void configure_3(const char *words) { configure("KM003C", words); }
static void configure_2(const char *words) { configure("KM002C", words); }

#define POWER_Z(id, title, words) \
	{ .name = title, .help = "a USB tester, POWER-Z; --with says what goes wrong", .vendor = 0x5fc9, \
	  .product = id, .interface_class = 0xff, .manufacturer_text = "ChargerLAB", \
	  .product_text = "POWER-Z", .endpoint_count = 2, \
	  .endpoints = {{0x01, USB_ENDPOINT_XFER_BULK, 64, 0}, {0x81, USB_ENDPOINT_XFER_BULK, 64, 0}}, \
	  .control = control, .produce = produce, .consume = consume, .configure = words }

const struct behavior km003c_behaviors[2] = {
	POWER_Z(0x0063, "km003c", configure_3), POWER_Z(0x0061, "km002c", configure_2)
};
