// Jetperch's energy analyzer Joulescope JS110 on the wire: settings, status and calibration by control requests,
// samples by endpoint 0x82. Protocol: jetperch/joulescope_driver, jetperch/pyjoulescope.
//
// What flows through it is known for each sample: see `truth`. A sample is due every 1/rate s of the clock; what a slow
// machine has let pass is not caught up with.
#include "behavior.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PACKET = 512, IN_ONE = 126, BURST = 16, TRUE_RATE = 2000000, WINDOW = 1000000, SETTLING = 5 };
enum { SETTINGS = 3, STATUS = 4, SERIAL = 7, CALIBRATION = 8, EXTIO = 9, INFO = 10, LOOPBACK = 2 };
enum { OFF = 7, BUSY = 19 };
static const long UNARMED = -1000000000;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct {
	uint8_t settings[8], extio[16], loopback[64], serial[16];
	uint8_t file[4096];
	int file_length;
	int64_t start_ns, sample, base, born_ns;
	uint16_t number;
	long packet;
	int busy, range, settling;
} unit;

// What goes wrong, or otherwise: packets and samples are counted from when it is set while it streams, since until then
// nobody may have listened; -1: never.
static struct {
	long lose_at, lose_count, skip_at, skip_count, status_at, kind_at, length_at, number_at, toggle_at;
	long silent_at, unplug_at, short_at, rate, period;
	int unplug_request, stall_request, late_request, late_ms, error, busy, is_deaf, has_no_statistics, frozen;
	const char *calibration;
} faults = {
	.lose_at = -1, .skip_at = -1, .status_at = -1, .kind_at = -1, .length_at = -1, .number_at = -1,
	.toggle_at = -1, .silent_at = -1, .unplug_at = -1, .short_at = -1, .rate = TRUE_RATE, .period = 2000,
	.unplug_request = -1, .stall_request = -1, .late_request = -1, .calibration = "good"
};

// Of its ranges of current and of voltage, as its calibration has them.
static const double current_offset[] = {-2806.5, -2822.25, -2820.75, -2822.5, -2820.5, -2820.5, -2818.5};
static const double current_gain[] = {
	6.8289146e-4, 1.6375304e-4, 1.4626174e-5, 1.4937617e-6, 1.4970493e-7, 1.4983888e-8, 1.4984542e-9
};
static const double voltage_offset[] = {-1150.5, -2041.625}, voltage_gain[] = {9.4681128e-4, 2.9342127e-4};

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Amperes and volts at a sample: 1.25 mA with a saw of 0 to 0.24 mA on top for three fifths of a period, 60 mA
// for the rest; 3.3 V less what 0.5 ohm drops. Where it is cut, nothing flows.
static void truth(int64_t sample, double *amperes, double *volts)
{
	int place = sample % faults.period;
	*amperes = place < faults.period * 3 / 5 ? 1.25e-3 + place % 25 * 1e-5 : 60e-3;
	if (unit.settings[0] == 0 || unit.settings[1] == 0)
		*amperes = 0;
	*volts = 3.3 - 0.5 * *amperes;
}

static int limited(double code)
{
	return code < 0 ? 0 : code > 16383 ? 16383 : (int)(code + 0.5);
}

static uint32_t word(int64_t sample)
{
	double amperes, volts;
	truth(sample, &amperes, &volts);
	int select = unit.settings[1], range = amperes > 1.6e-3 ? 2 : 4;
	if (select == 0)
		range = OFF;
	else if (!(select & 0x80))
		range = __builtin_ctz(select);
	if (range != unit.range && unit.range >= 0)
		unit.settling = SETTLING;
	unit.range = range;
	int v_range = unit.settings[3] >> 1 & 1;
	int i = range == OFF ? 0 : limited(amperes / current_gain[range] - current_offset[range]);
	int v = limited(volts / voltage_gain[v_range] - voltage_offset[v_range]);
	// What couples over while it switches.
	if (unit.settling > 0)
		i = limited(i + 400 * unit.settling--);
	if (unit.extio[2] == 2)
		i = (i & ~1) | (sample / 100 & 1);
	if (unit.extio[3] == 3)
		v = (v & ~1) | (sample / 300 & 1);
	uint32_t toggle = sample & 1;
	if (faults.toggle_at >= 0 && sample - unit.base >= faults.toggle_at)
		toggle ^= 1;
	return (range & 3) | (uint32_t)i << 2 | (range >> 2 & 1) << 16 | toggle << 17 | (uint32_t)v << 18;
}

static void put32(uint8_t *data, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		data[i] = value >> 8 * i;
}

static void put64(uint8_t *data, int64_t value)
{
	put32(data, value);
	put32(data + 4, (uint64_t)value >> 32);
}

// One packet; returns its length.
static int put_packet(uint8_t *data)
{
	if (unit.packet == faults.lose_at) {
		unit.number += faults.lose_count;
		unit.sample += faults.lose_count * IN_ONE;
		report("lost %ld", faults.lose_count);
	}
	if (unit.packet == faults.number_at)
		unit.number = 0x9000;
	int length = unit.packet == faults.length_at ? 496 : PACKET;
	uint8_t head[] = {
		unit.packet == faults.kind_at ? 0x80 : 1, unit.packet == faults.status_at, length, length >> 8,
		unit.number, unit.number >> 8, 0x5a, 0xa5
	};
	head[3] |= unit.settings[3] << 6 & 0x80;
	memcpy(data, head, sizeof head);
	for (int i = 0; i < IN_ONE; i++, unit.sample++) {
		int64_t place = unit.sample - unit.base;
		int is_missing = place >= faults.skip_at && place < faults.skip_at + faults.skip_count;
		put32(data + 8 + 4 * i, is_missing ? 0xffffffff : word(unit.sample));
	}
	unit.number++;
	return unit.packet++ == faults.short_at ? 200 : PACKET;
}

static void start(void)
{
	unit.start_ns = now_ns();
	unit.sample = unit.number = 0;
	unit.packet = UNARMED;
	unit.base = INT64_MAX / 2;
	unit.range = -1;
	unit.settling = 0;
	report("start %02x", unit.settings[1]);
}

// MARK: what it is

static uint32_t crc32_of(const uint8_t *data, int length)
{
	uint32_t crc = ~0u;
	for (int i = 0; i < length; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void put_record(const char *tag, const void *data, int length)
{
	uint8_t *place = unit.file + unit.file_length;
	int whole = (8 + length + 4 + 7) / 8 * 8;
	memset(place, 0, whole);
	memcpy(place, tag, 3);
	put32(place + 4, length);
	memcpy(place + 8, data, length);
	put32(place + whole - 4, crc32_of(place, whole - 4));
	unit.file_length += whole;
}

static int put_numbers(char *text, const char *name, const double *numbers, int count, const char *rest)
{
	int length = sprintf(text, "\"%s\": [", name);
	for (int i = 0; i < count; i++)
		length += sprintf(text + length, "%s%.9g", i ? ", " : "", numbers[i]);
	return length + sprintf(text + length, "%s]", rest);
}

static void fill_file(void)
{
	static const uint8_t magic[] = "\xd3tagfmt \r\n \n  \x1a\x1c";
	char text[2048], serial[33];
	for (int i = 0; i < 16; i++) {
		unit.serial[i] = 0x10 + i;
		sprintf(serial + 2 * i, "%02x", unit.serial[i]);
	}
	if (!strcmp(faults.calibration, "other"))
		serial[31] = 'a';
	int length = sprintf(text,
		"{\"version\": \"1.0.0\", \"time\": \"2019-05-01T12:00:00+00:00\", \"product\": \"1.1.1\", "
		"\"serial_number\": \"%s\", \"voltage\": {", serial);
	length += put_numbers(text + length, "offset", voltage_offset, 2, "");
	length += sprintf(text + length, ", ");
	length += put_numbers(text + length, "gain", voltage_gain, 2, "");
	length += sprintf(text + length, "}, \"current\": {");
	length += put_numbers(text + length, "offset", current_offset, 7, ", NaN");
	length += sprintf(text + length, ", ");
	length += put_numbers(text + length, "gain", current_gain, 7, ", NaN");
	length += sprintf(text + length, "}}");
	memset(unit.file, 0, 32);
	unit.file_length = 32;
	uint8_t header[40] = {0};
	memcpy(header + 24, unit.serial, 16);
	put_record("HDR", header, sizeof header);
	put_record("AJS", text, length);
	put_record("END", "", 0);
	memcpy(unit.file, magic, 16);
	put64(unit.file + 16, unit.file_length);
	unit.file[27] = 1;
	put32(unit.file + 28, crc32_of(unit.file, 28));
	if (!strcmp(faults.calibration, "bad"))
		unit.file[200] ^= 1;
	if (!strcmp(faults.calibration, "none"))
		memset(unit.file, 0xff, sizeof unit.file);
}

// What it computes of whole windows since it was plugged in, from the truth.
static void put_statistics(uint8_t *data)
{
	double amperes, volts, current = 0, voltage = 0, power = 0;
	for (int64_t sample = 0; sample < faults.period; sample++) {
		truth(sample, &amperes, &volts);
		current += amperes / faults.period;
		voltage += volts / faults.period;
		power += amperes * volts / faults.period;
	}
	int64_t windows = (now_ns() - unit.born_ns) / 500000000;
	if (windows > 4 && faults.frozen)
		windows = 4;
	// From one window to the next it is a little more, four times in a row.
	double more = 1 + 0.01 * (windows % 4), seconds = windows / 2.0;
	put64(data, windows * WINDOW);
	put64(data + 8, llround(power * more * 0x1p34));
	put64(data + 16, llround(current * 1.015 * seconds * 0x1p27));
	put64(data + 24, llround(power * 1.015 * seconds * 0x1p27));
	put32(data + 32, windows ? WINDOW : 0);
	put32(data + 36, WINDOW);
	put32(data + 40, TRUE_RATE);
	put32(data + 44, lround(current * more * 0x1p27));
	put32(data + 48, lround(1.25e-3 * 0x1p27));
	put32(data + 52, lround(60e-3 * 0x1p27));
	put32(data + 56, lround(voltage * 0x1p17));
}

static int put_header(uint8_t *data, int kind, int length)
{
	memset(data, 0, length);
	data[0] = 1;
	data[1] = length;
	data[2] = kind;
	return length;
}

static int answer_in(const struct usb_ctrlrequest *request, uint8_t *data)
{
	static const char info[] =
		"{\"type\": \"info\", \"ctl\": {\"hw\": {\"rev\": \"H\", \"sn_mfg\": \"000042\"}, "
		"\"fw\": {\"ver\": \"1.3.2\"}, \"fpga\": {\"ver\": \"0.2.0\"}}, "
		"\"sensor\": {\"fw\": {\"ver\": \"1.3.1\"}, \"fpga\": {\"ver\": \"1.2.1\"}}}";
	int length;
	switch (request->bRequest) {
	case LOOPBACK: memcpy(data, unit.loopback, 64); return 64;
	case SETTINGS:
		put_header(data, 1, 16);
		memcpy(data + 8, unit.settings, 8);
		return 16;
	case STATUS:
		length = put_header(data, 2, faults.has_no_statistics ? 24 : 104);
		put32(data + 8, unit.busy > 0 ? (uint32_t)(unit.busy-- % 2 ? BUSY : -1) : (uint32_t)faults.error);
		data[21] = unit.settings[1];
		data[22] = unit.settings[2];
		data[23] = unit.settings[3];
		if (length == 104)
			put_statistics(data + 24);
		return length;
	case SERIAL: memcpy(data, unit.serial, 16); return 16;
	case CALIBRATION:
		if (request->wValue > 1 || request->wIndex >= unit.file_length)
			return STALL;
		length = unit.file_length - request->wIndex;
		length = length < request->wLength ? length : request->wLength;
		memcpy(data, unit.file + request->wIndex, length);
		return length;
	case EXTIO:
		put_header(data, 3, 24);
		memcpy(data + 8, unit.extio, 16);
		return 24;
	case INFO: memcpy(data, info, sizeof info - 1); return sizeof info - 1;
	default: return STALL;
	}
}

static int take_out(const struct usb_ctrlrequest *request, const uint8_t *data)
{
	int length = request->wLength;
	switch (request->bRequest) {
	case LOOPBACK: memcpy(unit.loopback, data, length < 64 ? length : 64); return 0;
	case SETTINGS: {
		if (length != 16 || data[0] != 1 || data[1] != 16 || data[2] != 1)
			return STALL;
		int was = unit.settings[4] & 1;
		report("set %02x %02x %02x %02x %02x", data[8], data[9], data[10], data[11], data[12]);
		memcpy(unit.settings, data + 8, 8);
		if (faults.is_deaf)
			unit.settings[4] = 3;
		unit.busy = faults.busy;
		if (!was && unit.settings[4] & 1)
			start();
		else if (was && unit.settings[4] & 1) {
			unit.packet = 0;
			unit.base = unit.sample;
		}
		if (was && !(unit.settings[4] & 1))
			report("stop after %lld", (long long)unit.sample);
		return 0;
	}
	case EXTIO:
		if (length != 24 || data[0] != 1 || data[1] != 24 || data[2] != 3)
			return STALL;
		memcpy(unit.extio, data + 8, 16);
		report("inputs %d %d %d", data[10], data[11], data[20] | data[21] << 8);
		return 0;
	default: return STALL;
	}
}

static int control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	int is_in = request->bRequestType & USB_DIR_IN;
	if ((request->bRequestType & ~USB_DIR_IN) != (USB_TYPE_VENDOR | USB_RECIP_DEVICE))
		return STALL;
	int number = request->bRequest | (is_in ? 0x100 : 0);
	if (number == faults.unplug_request)
		_exit(0);
	if (number == faults.late_request)
		usleep(faults.late_ms * 1000);
	if (number == faults.stall_request)
		return STALL;
	pthread_mutex_lock(&lock);
	int result = is_in ? answer_in(request, data) : take_out(request, data);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return result;
}

static int produce(int endpoint, uint8_t *data)
{
	(void)endpoint;
	int length = 0;
	pthread_mutex_lock(&lock);
	while (length == 0) {
		while (!(unit.settings[4] & 1) || unit.packet == faults.silent_at)
			pthread_cond_wait(&changed, &lock);
		int64_t due = (now_ns() - unit.start_ns) * (faults.rate / 1e9) - unit.sample;
		long count = due / IN_ONE;
		if (count > BURST) {
			unit.start_ns += (count - BURST) * IN_ONE * (1000000000LL / faults.rate);
			count = BURST;
		}
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

// The second number of a word such as lose=300:40.
static long second(const char *value, long other)
{
	const char *colon = strchr(value, ':');
	return colon ? strtol(colon + 1, NULL, 0) : other;
}

// Words such as rate=40000,lose=300:40: see README.md.
static void configure(const char *words)
{
	put32(unit.extio + 12, 3300);
	unit.born_ns = now_ns();
	char *copy = strdup(words ? words : "");
	for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '=');
		if (value)
			*value++ = 0;
		else
			value = "";
		long number = strtol(value, NULL, 0);
		struct { const char *name; long *place, *other; } places[] = {
			{"lose", &faults.lose_at, &faults.lose_count}, {"skip", &faults.skip_at, &faults.skip_count},
			{"status", &faults.status_at, NULL}, {"kind", &faults.kind_at, NULL},
			{"length", &faults.length_at, NULL}, {"number", &faults.number_at, NULL},
			{"toggle", &faults.toggle_at, NULL}, {"silent", &faults.silent_at, NULL},
			{"unplug", &faults.unplug_at, NULL}, {"short", &faults.short_at, NULL},
			{"rate", &faults.rate, NULL}, {"period", &faults.period, NULL}
		};
		struct { const char *name; int *place, *other; } requests[] = {
			{"unplug-at", &faults.unplug_request, NULL}, {"stall-at", &faults.stall_request, NULL},
			{"late-at", &faults.late_request, &faults.late_ms}, {"error", &faults.error, NULL},
			{"busy", &faults.busy, NULL}
		};
		int is_known = 0;
		for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
			if (!strcmp(word, places[i].name)) {
				*places[i].place = number;
				if (places[i].other)
					*places[i].other = second(value, 1);
				is_known = 1;
			}
		for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++)
			if (!strcmp(word, requests[i].name)) {
				*requests[i].place = number;
				if (requests[i].other)
					*requests[i].other = second(value, 1);
				is_known = 1;
			}
		if (!strcmp(word, "calibration"))
			faults.calibration = strdup(value);
		else if (!strcmp(word, "deaf"))
			faults.is_deaf = 1;
		else if (!strcmp(word, "no-statistics"))
			faults.has_no_statistics = 1;
		else if (!strcmp(word, "frozen"))
			faults.frozen = 1;
		else if (!strcmp(word, "streaming"))
			unit.settings[0] = 1, unit.settings[1] = 0x80, unit.settings[2] = 0xc0, unit.settings[4] = 3;
		else if (!is_known) {
			fprintf(stderr, "joulescope: no such word: %s\n", word);
			exit(2);
		}
	}
	free(copy);
	fill_file();
	if (unit.settings[4])
		start();
}

const struct behavior joulescope_behavior = {
	.name = "joulescope", .help = "an energy analyzer JS110; --with says what goes wrong", .vendor = 0x16d0,
	.product = 0x0e88, .interface_class = 0xff, .manufacturer_text = "Jetperch LLC",
	.product_text = "Joulescope", .endpoint_count = 1,
	.endpoints = {{0x82, USB_ENDPOINT_XFER_BULK, PACKET, 0}}, .control = control, .produce = produce,
	.consume = consume, .configure = configure
};
