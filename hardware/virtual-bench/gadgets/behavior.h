// What an emulated USB device does, apart from how it is plugged in: raw-gadget.c and ffs-gadget.c
// both play the same behaviors.
//
// It shares no code and no constant with Kelvin's drivers, so that a mistake in one shows in the
// other.
#ifndef KELVIN_GADGETS_BEHAVIOR_H
#define KELVIN_GADGETS_BEHAVIOR_H

#include <linux/usb/ch9.h>
#include <stdint.h>

enum { MAX_ENDPOINTS = 4, MAX_CONTROL = 4096, MAX_BLOCK = 65536 };

// Answers of `control`.
enum { STALL = -1 };

struct endpoint {
	uint8_t address;   // with USB_DIR_IN
	uint8_t type;      // USB_ENDPOINT_XFER_BULK or _INT
	uint16_t size;     // wMaxPacketSize at high speed
	uint8_t interval;  // bInterval at high speed
};

struct behavior {
	const char *name;
	const char *help;
	uint16_t vendor, product;
	uint8_t interface_class, interface_subclass, interface_protocol;
	const char *manufacturer_text, *product_text;
	const uint8_t *report_descriptor;  // of a HID device, else NULL
	uint16_t report_descriptor_length;
	int endpoint_count;
	struct endpoint endpoints[MAX_ENDPOINTS];

	// What --with says; may be NULL, as may the words.
	void (*configure)(const char *words);
	// A class or vendor request. IN: fills data, and returns its length. OUT: data holds wLength
	// bytes; returns 0. STALL refuses it. May take its time.
	int (*control)(const struct usb_ctrlrequest *request, uint8_t *data);
	// The next transfer of an IN endpoint; waits until there is one. Returns its length, 0 for a
	// zero-length packet.
	int (*produce)(int endpoint, uint8_t *data);
	// What came by an OUT endpoint.
	void (*consume)(int endpoint, const uint8_t *data, int length);
};

// Options of the command line, common to both programs.
struct options {
	const struct behavior *behavior;
	const char *udc;     // dummy_udc.0
	const char *serial;  // iSerialNumber; "" means none
	const char *speed;   // high or full
	const char *with;    // words for the behavior
	const char *broken;  // which descriptor is to be wrong; NULL: none
	const char *gadget;  // configfs directory of a FunctionFS gadget
	const char *mount;   // where its functionfs is mounted
};

// Exits with a usage message when the words make no sense.
struct options parse_options(int argc, char **argv);

// Those that have a file of their own.
extern const struct behavior monsoon_behavior, joulescope_behavior, km003c_behaviors[2];
extern const struct behavior fnirsi_behaviors[2];

// Set by the program that plays the behavior: halts an endpoint by its index.
extern void (*halt_endpoint)(int endpoint);

// What usbtmc.c does.
int usbtmc_control(const struct usb_ctrlrequest *request, uint8_t *data);
int usbtmc_produce(int endpoint, uint8_t *data);
void usbtmc_consume(int endpoint, const uint8_t *data, int length);

// One line on standard output, at once: what a test takes as the truth.
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
