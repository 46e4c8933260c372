// Monsoon Solutions' power monitors HVPM and LVPM on the wire: values by control requests, samples by
// endpoint 0x81. Protocol: PyMonsoon, and what Android's ACTS says of the count of dropped packets.
//
// What it draws is known for each sample: see `truth`. Time is that of the clock, 200 us a sample, or that
// of the reader with pace=reader.
#include "behavior.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HV = 2, LV = 1 };
enum { MEASUREMENT = 0, ZERO = 1, INVALID = 2, REFERENCE = 3 };
enum { PACKET = 64, IN_ONE = 3, BURST = 16, RATE = 5000 };
enum { OP_USB = 0x10, OP_VOLTAGE = 0x41, OP_STATUS = 0xc4, OP_FIRMWARE = 0xc0, OP_PROTOCOL = 0xc1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct {
	uint32_t values[256];
	int model, is_sampling, calibration_ms;
	int64_t start_ns, observation, packet, skipped;
	uint16_t dropped;
	unsigned captures;
} unit;

// What goes wrong, or otherwise: packets are counted from the start of sampling, -1: never.
static struct {
	long drop_at, drop_count, short_at, type_at, count_at, silent_at, unplug_at;
	int is_deaf, is_reader_paced, has_no_zero, has_no_reference, is_flat, error_at, stall_at;
	long period;  // of what it draws, in samples
	long fifo;  // samples that it holds back for a slow host
	double skew;
} faults = {
	.drop_at = -1, .short_at = -1, .type_at = -1, .count_at = -1, .silent_at = -1,
	.unplug_at = -1, .error_at = -1, .stall_at = -1, .fifo = 1000000000, .period = 5000
};

// What inputs are converted to: of main coarse, main fine, usb coarse, usb fine, aux coarse, aux fine.
static const int zero_code[] = {1203, 1251, 1307, 1350, 1402, 1453};
static const int reference_code_hv[] = {51203, 52251, 50307, 53350, 51402, 52453};
static const int reference_code_lv[] = {26203, 25251, 26307, 25350, 26402, 25453};

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Amperes at a sample: main 12 mA for 0.6 s, then 850 mA for 0.4 s, with a saw of 0 to 4.9 mA on top; usb
// 8 mA, 450 mA in every other second; aux 1.2 mA, 120 mA in every third. No output, no current.
static void truth(int64_t sample, double amperes[3])
{
	int64_t second = sample / faults.period;
	int place = sample % faults.period;
	amperes[0] = (place < faults.period * 3 / 5 ? 12e-3 : 850e-3) + place % 50 * 1e-4;
	if (!unit.values[OP_VOLTAGE])
		amperes[0] = 0;
	amperes[1] = second % 2 ? 450e-3 : 8e-3;
	amperes[2] = second % 3 == 2 ? 120e-3 : 1.2e-3;
}

// Current at the reference of an input, in amperes, as its own memory has it.
static double at_reference(int input)
{
	static const uint8_t scale[] = {0x1b, 0x1a, 0x1d, 0x1c, 0x1f, 0x1e};
	static const uint8_t resistor[] = {0x11, 0x02, 0x12, 0x0d, 0x13, 0x0e};
	int is_fine = input & 1;
	if (unit.model == HV)
		return unit.values[scale[input]] / (is_fine ? 1e6 : 1e3);
	double ohms = 0.05 + 0.0001 * (int8_t)unit.values[resistor[input]];
	return (is_fine ? 35946.0 / 1e6 : 3103.4 / 1e3) * (0.05 / ohms);
}

static int zero_offset(int input)
{
	static const uint8_t zero[] = {0x26, 0x25, 0x28, 0x27};
	return unit.model == HV && input < 4 ? (int16_t)unit.values[zero[input]] : 0;
}

static int limited(double code)
{
	int low = unit.model == HV ? 0 : -32768, high = unit.model == HV ? 65535 : 32767;
	return code < low ? low : code > high ? high : (int)(code + (code < 0 ? -0.5 : 0.5));
}

static void put_big(uint8_t *data, int value)
{
	data[0] = value >> 8;
	data[1] = value;
}

static void put_observation(uint8_t *data, int64_t sample, int kind)
{
	const int *reference = unit.model == HV ? reference_code_hv : reference_code_lv;
	double amperes[3];
	truth(sample, amperes);
	for (int input = 0; input < 6; input++) {
		int code = faults.is_flat && kind == REFERENCE ? zero_code[input] + zero_offset(input)
			: kind == REFERENCE ? reference[input] : zero_code[input];
		if ((kind == ZERO && faults.has_no_zero) || (kind == REFERENCE && faults.has_no_reference))
			code = 0;
		if (kind == MEASUREMENT || kind == INVALID) {
			double origin = zero_code[input] + zero_offset(input);
			code = limited(origin + amperes[input / 2] / at_reference(input) * (reference[input] - origin));
		}
		put_big(data + 2 * input, code);
	}
	double volts = unit.values[OP_VOLTAGE] / 1048576.0;
	put_big(data + 12, (int)(volts / (62.5e-6 * (unit.model == HV ? 4 : 2)) + 0.5));
	put_big(data + 14, (int)(5.0 / (62.5e-6 * 2) + 0.5));
	data[16] = 0x03;
	data[17] = kind << 4 | 0x05;
}

// Zeros and references alternate in the first moments; later there is one of each at a time.
static int kind_of(int64_t sample)
{
	int64_t every = (int64_t)unit.calibration_ms * RATE / 1000, place = every ? sample % every : sample;
	if (sample < 20 ? 1 : place < 2)
		return sample % 2 ? REFERENCE : ZERO;
	return MEASUREMENT;
}

// One packet; returns its length.
static int put_packet(uint8_t *data)
{
	memset(data, 0, PACKET);
	if (unit.packet == faults.drop_at) {
		unit.dropped += faults.drop_count;
		unit.observation += faults.drop_count * IN_ONE;
		report("dropped %ld", faults.drop_count);
	}
	// A true one says so for the first moments.
	uint16_t dropped = unit.packet < 3 ? 0xffff : unit.dropped;
	data[0] = dropped;
	data[1] = dropped >> 8;
	data[2] = unit.packet & 15;
	data[3] = unit.packet == faults.count_at ? 200 : IN_ONE;
	for (int i = 0; i < IN_ONE; i++) {
		int kind = unit.packet == faults.type_at ? INVALID : kind_of(unit.observation);
		put_observation(data + 4 + 18 * i, unit.observation++, kind);
	}
	return unit.packet++ == faults.short_at ? 40 : PACKET;
}

static void start(int calibration_ms)
{
	unit.calibration_ms = calibration_ms;
	unit.start_ns = now_ns();
	unit.observation = unit.packet = unit.dropped = 0;
	unit.is_sampling = 1;
	unit.captures++;
}

static int control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	int in = request->bRequestType & USB_DIR_IN, operation = request->wIndex & 255, result = 0;
	if (request->bRequestType == 0x21 && request->bRequest == 0x0a)  // SET_IDLE, of the HID driver
		return 0;
	if ((request->bRequestType & ~USB_DIR_IN) != (USB_TYPE_VENDOR | USB_RECIP_DEVICE))
		return STALL;
	uint32_t number = 0;
	for (int i = 0; !in && i < request->wLength && i < 4; i++)
		number |= (uint32_t)data[i] << 8 * i;
	pthread_mutex_lock(&lock);
	switch (request->bRequest | (in ? 0x100 : 0)) {
	case 0x101: {
		uint32_t value = unit.values[operation];
		if (operation == OP_STATUS)
			value = unit.values[OP_FIRMWARE] >= 26 && unit.is_sampling ? 0x80 : 0;
		else if (unit.is_sampling && operation != OP_FIRMWARE && operation != OP_PROTOCOL)
			value = 0xfffffffe;
		if (operation == faults.error_at)
			value = 0xfffffffe;
		if (operation == faults.stall_at) {
			result = STALL;
			break;
		}
		for (int i = 0; i < 4; i++)
			data[i] = value >> 8 * i;
		result = 4;
		break;
	}
	case 0x01:
		if (unit.is_sampling)
			report("refused %02x", operation);
		else if ((number & 0xffffff) != ((uint32_t)request->wIndex >> 8 << 16 | request->wValue))
			report("torn %02x %u", operation, number);
		else {
			unit.values[operation] = number;
			report("set %02x %u", operation, number);
		}
		break;
	case 0x02:
		start(request->wValue);
		report("start %d %u", request->wValue, number);
		break;
	case 0x03:
		if (!faults.is_deaf)
			unit.is_sampling = 0;
		report("stop after %lld", (long long)unit.observation);
		break;
	default:
		result = STALL;
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return result;
}

// Samples that are due, of at most `limit`; those that a slow host left for too long are dropped, as whole
// packets.
static int64_t due(int64_t limit)
{
	if (faults.is_reader_paced)
		return limit;
	int64_t taken = (now_ns() - unit.start_ns) * (1 + faults.skew) / (1e9 / RATE);
	int64_t late = taken - unit.observation - faults.fifo;
	if (late > 0) {
		int64_t packets = (late + IN_ONE - 1) / IN_ONE;
		unit.dropped += packets;
		unit.observation += packets * IN_ONE;
		report("overrun %lld", (long long)packets);
	}
	return taken - unit.observation < limit ? taken - unit.observation : limit;
}

static int produce(int endpoint, uint8_t *data)
{
	int length = 0;
	if (endpoint != 0)
		for (;;)
			pause();
	pthread_mutex_lock(&lock);
	while (length == 0) {
		while (!unit.is_sampling || unit.packet == faults.silent_at)
			pthread_cond_wait(&changed, &lock);
		int64_t count = due(BURST * IN_ONE) / IN_ONE;
		for (; count > 0; count--) {
			if (unit.packet == faults.unplug_at)
				_exit(0);
			if (unit.packet == faults.silent_at)
				break;
			int size = put_packet(data + length);
			length += size;
			if (size < PACKET)
				break;  // a packet that is not full ends the transfer
		}
		if (length == 0) {
			pthread_mutex_unlock(&lock);
			usleep(1000);
			pthread_mutex_lock(&lock);
		}
	}
	pthread_mutex_unlock(&lock);
	return length;
}

static void consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	(void)data;
	(void)length;
}

static void fill_values(int model)
{
	static const struct { uint8_t operation; uint32_t hv, lv; } initial[] = {
		{0x45, HV, LV}, {OP_FIRMWARE, 32, 32}, {OP_PROTOCOL, 1, 1}, {0x42, 23171, 11904},
		{0x43, 41000, 512}, {0x44, 42000, 300}, {0x0c, 20, 20}, {OP_USB, 2, 2}, {0x29, 60, 0},
		{0x88, 0xe123, 0}, {0x89, 0xc456, 0},
		{0x1a, 36500, 0}, {0x1b, 6400, 0}, {0x1c, 14000, 0}, {0x1d, 600, 0}, {0x1e, 3100, 0},
		{0x1f, 250, 0}, {0x25, 15, 0}, {0x26, (uint16_t)-7, 0}, {0x27, 3, 0}, {0x28, 0, 0},
		{0x02, 0, 12}, {0x11, 0, 7}, {0x0d, 0, 3}, {0x12, 0, 9}, {0x0e, 0, 1}, {0x13, 0, 2}
	};
	unit.model = model;
	for (unsigned i = 0; i < sizeof initial / sizeof *initial; i++)
		unit.values[initial[i].operation] = model == HV ? initial[i].hv : initial[i].lv;
}

// Words such as model=lv,drop=3000:40,deaf: see README.md.
static void configure(const char *words)
{
	fill_values(HV);
	char *copy = strdup(words ? words : "");
	for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '=');
		if (value)
			*value++ = 0;
		else
			value = "";
		long number = strtol(value, NULL, 0);
		struct { const char *name; long *place; } packets[] = {
			{"short", &faults.short_at}, {"type", &faults.type_at}, {"count", &faults.count_at},
			{"silent", &faults.silent_at}, {"unplug", &faults.unplug_at}
		};
		int is_known = 0;
		for (unsigned i = 0; i < sizeof packets / sizeof *packets; i++)
			if (!strcmp(word, packets[i].name)) {
				*packets[i].place = number;
				is_known = 1;
			}
		if (!strcmp(word, "model"))
			fill_values(strcmp(value, "lv") ? HV : LV);
		else if (!strcmp(word, "drop"))
			faults.drop_at = number, faults.drop_count = atol(strchr(value, ':') ? strchr(value, ':') + 1 : "1");
		else if (!strcmp(word, "firmware"))
			unit.values[OP_FIRMWARE] = number;
		else if (!strcmp(word, "hardware"))
			unit.values[0x45] = number;
		else if (!strcmp(word, "voltage-channel"))
			unit.values[0x23] = number;
		else if (!strcmp(word, "output"))
			unit.values[OP_VOLTAGE] = number;
		else if (!strcmp(word, "dac"))
			unit.values[0x88] = number;
		else if (!strcmp(word, "error"))
			faults.error_at = number;
		else if (!strcmp(word, "stall"))
			faults.stall_at = number;
		else if (!strcmp(word, "fifo"))
			faults.fifo = number;
		else if (!strcmp(word, "period") && number > 0)
			faults.period = number;
		else if (!strcmp(word, "skew-ppm"))
			faults.skew = number * 1e-6;
		else if (!strcmp(word, "deaf"))
			faults.is_deaf = 1;
		else if (!strcmp(word, "no-zero"))
			faults.has_no_zero = 1;
		else if (!strcmp(word, "no-reference"))
			faults.has_no_reference = 1;
		else if (!strcmp(word, "flat"))
			faults.is_flat = 1;
		else if (!strcmp(word, "pace"))
			faults.is_reader_paced = !strcmp(value, "reader");
		else if (!strcmp(word, "sampling"))
			start(1250);
		else if (!is_known) {
			fprintf(stderr, "monsoon: no such word: %s\n", word);
			exit(2);
		}
	}
	free(copy);
}

// A HID device that nobody could use as one, as the true one: the kernel's driver takes it all the same.
static const uint8_t report_descriptor[] = {
	0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x08,
	0x09, 0x01, 0x81, 0x02, 0xc0
};

const struct behavior monsoon_behavior = {
	.name = "monsoon", .help = "a power monitor, HVPM or LVPM; --with says which, and what goes wrong",
	.vendor = 0x2ab9, .product = 0x0001, .interface_class = 3,
	.manufacturer_text = "Monsoon Solutions, Inc.", .product_text = "Power Monitor",
	.report_descriptor = report_descriptor, .report_descriptor_length = sizeof report_descriptor,
	.endpoint_count = 3,
	.endpoints = {{0x81, USB_ENDPOINT_XFER_BULK, PACKET, 0}, {0x01, USB_ENDPOINT_XFER_BULK, PACKET, 0},
	              {0x82, USB_ENDPOINT_XFER_INT, 8, 7}},
	.control = control, .produce = produce, .consume = consume, .configure = configure
};
