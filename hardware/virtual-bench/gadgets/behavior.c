// The behaviors. Protocols: dcttech relays as sigrok and usbrelay drive them, YKUSH by its published
// command bytes; the vendor device is this project's own (see README.md).
#include "behavior.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void (*halt_endpoint)(int endpoint);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void report(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	char line[256];
	vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	strcat(line, "\n");
	if (write(1, line, strlen(line)) < 0)
		return;
}

static void pause_ms(int milliseconds)
{
	struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
	nanosleep(&time, NULL);
}

static void put32(uint8_t *data, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		data[i] = value >> 8 * i;
}

// MARK: the vendor device

enum { ECHO_SLOTS = 256, ECHO_PACKET = 512 };
enum { OUT_ECHO, IN_ECHO, IN_STREAM, IN_EVENTS };

static struct {
	uint32_t registers[16];
	struct { int length; uint8_t data[ECHO_PACKET]; } echo[ECHO_SLOTS];
	unsigned echo_in, echo_out;
	int streaming, block_length;
	uint32_t sequence, blocks_left;  // blocks_left 0: no end
	int event_ms, events_sent;
} vendor;

static int vendor_control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	int value = request->wValue, index = request->wIndex, length = request->wLength, result = 0;
	int in = request->bRequestType & USB_DIR_IN;
	if ((request->bRequestType & ~USB_DIR_IN) != (USB_TYPE_VENDOR | USB_RECIP_DEVICE))
		return STALL;
	pthread_mutex_lock(&lock);
	switch (request->bRequest | (in ? 0x100 : 0)) {
	case 0x101:  // read a register: four bytes, or fewer when fewer are asked for
		put32(data, vendor.registers[index & 15]);
		result = 4;
		break;
	case 0x02:  // write a register
		vendor.registers[index & 15] = value;
		for (int i = 0; i < length && i < 4; i++)
			vendor.registers[index & 15] =
				(i ? vendor.registers[index & 15] : 0) | (uint32_t)data[i] << 8 * i;
		break;
	case 0x03:  // start the stream: wValue bytes a block, wIndex blocks
		vendor.block_length = value;
		vendor.blocks_left = index;
		vendor.sequence = 0;
		vendor.streaming = 1;
		break;
	case 0x04:  // stop the stream
		vendor.streaming = 0;
		break;
	case 0x05:  // halt an endpoint
		for (int i = 0; i < 4; i++) {
			static const uint8_t address[] = {0x01, 0x81, 0x82, 0x83};
			if (address[i] == index)
				halt_endpoint(i);
		}
		break;
	case 0x06:  // fall off the bus in the middle of this request
		_exit(0);
	case 0x107:  // answer late
		pthread_mutex_unlock(&lock);
		pause_ms(value);
		pthread_mutex_lock(&lock);
		put32(data, value);
		result = 4;
		break;
	case 0x08:  // an event every wValue milliseconds; 0: none
		vendor.event_ms = value;
		break;
	case 0x109:  // a long answer
		for (int i = 0; i < length; i++)
			data[i] = i * 7;
		result = length;
		break;
	case 0x0a:  // a long order; the sum of its bytes goes to register 15
		vendor.registers[15] = 0;
		for (int i = 0; i < length; i++)
			vendor.registers[15] += data[i];
		break;
	case 0x0b:  // an empty packet on the echo's IN endpoint
		vendor.echo[vendor.echo_in++ % ECHO_SLOTS].length = 0;
		break;
	default:
		result = STALL;
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return result;
}

static int vendor_produce(int endpoint, uint8_t *data)
{
	int length = 0;
	pthread_mutex_lock(&lock);
	switch (endpoint) {
	case IN_ECHO:
		while (vendor.echo_in == vendor.echo_out)
			pthread_cond_wait(&changed, &lock);
		length = vendor.echo[vendor.echo_out % ECHO_SLOTS].length;
		memcpy(data, vendor.echo[vendor.echo_out++ % ECHO_SLOTS].data, length);
		break;
	case IN_STREAM:
		while (!vendor.streaming)
			pthread_cond_wait(&changed, &lock);
		length = vendor.block_length;
		memset(data, vendor.sequence, length);
		if (length >= 4)
			put32(data, vendor.sequence);
		vendor.sequence++;
		if (vendor.blocks_left && --vendor.blocks_left == 0)
			vendor.streaming = 0;
		break;
	case IN_EVENTS:
		while (!vendor.event_ms)
			pthread_cond_wait(&changed, &lock);
		length = vendor.event_ms;
		pthread_mutex_unlock(&lock);
		pause_ms(length);
		pthread_mutex_lock(&lock);
		memset(data, 0, 8);
		put32(data, vendor.events_sent++);
		length = 8;
		break;
	}
	pthread_mutex_unlock(&lock);
	return length;
}

static void vendor_consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	pthread_mutex_lock(&lock);
	if (vendor.echo_in - vendor.echo_out < ECHO_SLOTS) {
		vendor.echo[vendor.echo_in % ECHO_SLOTS].length = length;
		memcpy(vendor.echo[vendor.echo_in++ % ECHO_SLOTS].data, data, length);
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

// MARK: the relay

static uint8_t relay_state;

static const uint8_t relay_report[] = {
	0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01,  // vendor page, collection
	0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x08, 0x09, 0x00, 0xb2, 0x02, 0x01,  // 8 bytes
	0xc0
};

static int relay_answer(const struct usb_ctrlrequest *request, uint8_t *data, int deaf)
{
	int is_feature = request->wValue >> 8 == 3;
	if (request->bRequestType == 0x21 && request->bRequest == 0x0a)  // SET_IDLE
		return 0;
	if (request->bRequestType == 0xa1 && request->bRequest == 0x01 && is_feature) {
		memcpy(data, "KELV1\0\0", 7);
		data[7] = relay_state;
		return 8;
	}
	if (request->bRequestType != 0x21 || request->bRequest != 0x09 || !is_feature
	    || request->wLength < 2)
		return STALL;
	int number = data[1];
	uint8_t bit = number >= 1 && number <= 2 ? 1 << (number - 1) : 0, state = relay_state;
	switch (data[0]) {
	case 0xff: state |= bit; break;
	case 0xfd: state &= ~bit; break;
	case 0xfe: state = 3; break;
	case 0xfc: state = 0; break;
	default: return 0;  // the real one takes anything
	}
	if (!deaf)
		relay_state = state;
	report("relay %d%d", relay_state & 1, relay_state >> 1 & 1);
	return 0;
}

static int relay_control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	return relay_answer(request, data, 0);
}

static int deaf_control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	return relay_answer(request, data, 1);
}

static int silent_produce(int endpoint, uint8_t *data)
{
	(void)endpoint;
	(void)data;
	for (;;)
		pause();
	return 0;
}

static void no_consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	(void)data;
	(void)length;
}

// MARK: the switchable hub YKUSH

static uint8_t ykush_ports = 7;  // bit n - 1: port n is up, as after power-on
static uint8_t ykush_reply[64];
static int ykush_has_reply;

static const uint8_t ykush_report[] = {
	0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08,
	0x95, 0x40, 0x09, 0x01, 0x81, 0x02, 0x95, 0x40, 0x09, 0x01, 0x91, 0x02, 0xc0
};

static int ykush_control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	(void)data;
	return request->bRequestType == 0x21 && request->bRequest == 0x0a ? 0 : STALL;
}

static void ykush_consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	if (length < 1)
		return;
	int number = data[0] & 15, order = data[0] >> 4;
	uint8_t bits = number == 10 ? 7 : number >= 1 && number <= 3 ? 1 << (number - 1) : 0;
	pthread_mutex_lock(&lock);
	memset(ykush_reply, 0, sizeof ykush_reply);
	ykush_reply[0] = bits != 0 && order <= 2;
	ykush_reply[1] = data[0];
	if (bits && order == 1)
		ykush_ports |= bits;
	if (bits && order == 0)
		ykush_ports &= ~bits;
	if (bits && order == 2)
		ykush_reply[1] = number | (ykush_ports & bits ? 0x10 : 0);
	if (order < 2)
		report("ykush %d%d%d", ykush_ports & 1, ykush_ports >> 1 & 1, ykush_ports >> 2 & 1);
	ykush_has_reply = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int ykush_produce(int endpoint, uint8_t *data)
{
	(void)endpoint;
	pthread_mutex_lock(&lock);
	while (!ykush_has_reply)
		pthread_cond_wait(&changed, &lock);
	ykush_has_reply = 0;
	memcpy(data, ykush_reply, sizeof ykush_reply);
	pthread_mutex_unlock(&lock);
	return sizeof ykush_reply;
}

// MARK: the list

#define RELAY(NAME, HELP, CONTROL) \
	{ .name = NAME, .help = HELP, .vendor = 0x16c0, .product = 0x05df, .interface_class = 3, \
	  .manufacturer_text = "www.dcttech.com", .product_text = "USBRelay2", \
	  .report_descriptor = relay_report, .report_descriptor_length = sizeof relay_report, \
	  .endpoint_count = 1, .endpoints = {{0x81, USB_ENDPOINT_XFER_INT, 8, 7}}, \
	  .control = CONTROL, .produce = silent_produce, .consume = no_consume }
#define YKUSH(NAME, PRODUCT, HELP) \
	{ .name = NAME, .help = HELP, .vendor = 0x04d8, .product = PRODUCT, .interface_class = 3, \
	  .manufacturer_text = "Yepkit Lda.", .product_text = "YKUSH", \
	  .report_descriptor = ykush_report, .report_descriptor_length = sizeof ykush_report, \
	  .endpoint_count = 2, .endpoints = {{0x01, USB_ENDPOINT_XFER_INT, 64, 4}, \
	                                     {0x81, USB_ENDPOINT_XFER_INT, 64, 4}}, \
	  .control = ykush_control, .produce = ykush_produce, .consume = ykush_consume }

static const struct behavior own_behaviors[] = {
	{ .name = "vendor", .help = "bulk echo, a stream, events, registers", .vendor = 0x1209,
	  .product = 0x0001, .interface_class = 0xff, .manufacturer_text = "Kelvin",
	  .product_text = "Virtual instrument", .endpoint_count = 4,
	  .endpoints = {{0x01, USB_ENDPOINT_XFER_BULK, 512, 0}, {0x81, USB_ENDPOINT_XFER_BULK, 512, 0},
	                {0x82, USB_ENDPOINT_XFER_BULK, 512, 0}, {0x83, USB_ENDPOINT_XFER_INT, 8, 4}},
	  .control = vendor_control, .produce = vendor_produce, .consume = vendor_consume },
	{ .name = "usbtmc", .help = "a power supply that speaks SCPI", .vendor = 0x1209,
	  .product = 0x0002, .interface_class = 0xfe, .interface_subclass = 3,
	  .manufacturer_text = "Kelvin", .product_text = "Virtual supply", .endpoint_count = 2,
	  .endpoints = {{0x01, USB_ENDPOINT_XFER_BULK, 512, 0}, {0x82, USB_ENDPOINT_XFER_BULK, 512, 0}},
	  .control = usbtmc_control, .produce = usbtmc_produce, .consume = usbtmc_consume },
	RELAY("relay", "a HID relay with two contacts", relay_control),
	RELAY("deaf-relay", "a HID relay that acknowledges and does nothing", deaf_control),
	YKUSH("ykush", 0xf2f7, "a switchable hub with three ports"),
	YKUSH("ykush-legacy", 0x0042, "the same under its first id"),
	YKUSH("ykush3", 0xf11b, "the same as YKUSH 3"),
	YKUSH("ykushxs", 0xf0cd, "the same as YKUSH XS")
};
static const struct behavior *const other_behaviors[] = {
	&monsoon_behavior, &joulescope_behavior, &km003c_behaviors[0], &km003c_behaviors[1],
	&fnirsi_behaviors[0], &fnirsi_behaviors[1]
};
enum {
	OWN_COUNT = sizeof own_behaviors / sizeof *own_behaviors,
	ALL_COUNT = OWN_COUNT + sizeof other_behaviors / sizeof *other_behaviors
};

// NULL behind the last one.
static const struct behavior *behavior_at(unsigned index)
{
	if (index < OWN_COUNT)
		return &own_behaviors[index];
	return index < ALL_COUNT ? other_behaviors[index - OWN_COUNT] : NULL;
}

static void usage(const char *program)
{
	fprintf(stderr,
	        "usage: %s BEHAVIOR [--udc dummy_udc.0] [--serial TEXT] [--speed high|full]\n"
	        "       [--with WORD=VALUE,...] of behaviors that take some\n"
	        "       raw-gadget only: [--broken endpoint|tail|total]\n"
	        "       ffs-gadget only: --gadget CONFIGFS-DIRECTORY --mount FUNCTIONFS-DIRECTORY\n",
	        program);
	for (unsigned i = 0; behavior_at(i); i++)
		fprintf(stderr, "  %-14s %04x:%04x %s\n", behavior_at(i)->name, behavior_at(i)->vendor,
		        behavior_at(i)->product, behavior_at(i)->help);
	exit(2);
}

struct options parse_options(int argc, char **argv)
{
	struct options options = {.udc = "dummy_udc.0", .serial = "VB0001", .speed = "high"};
	for (int i = 1; i < argc; i++) {
		struct { const char *name; const char **value; } known[] = {
			{"--udc", &options.udc}, {"--serial", &options.serial}, {"--speed", &options.speed},
			{"--with", &options.with}, {"--broken", &options.broken}, {"--gadget", &options.gadget},
			{"--mount", &options.mount}
		};
		int found = 0;
		for (unsigned k = 0; k < sizeof known / sizeof *known; k++)
			if (!strcmp(argv[i], known[k].name) && i + 1 < argc) {
				*known[k].value = argv[++i];
				found = 1;
				break;
			}
		for (unsigned b = 0; !found && behavior_at(b); b++)
			if (!strcmp(argv[i], behavior_at(b)->name)) {
				options.behavior = behavior_at(b);
				found = 1;
			}
		if (!found)
			usage(argv[0]);
	}
	if (!options.behavior || (options.with && !options.behavior->configure))
		usage(argv[0]);
	if (options.behavior->configure)
		options.behavior->configure(options.with);
	return options;
}
