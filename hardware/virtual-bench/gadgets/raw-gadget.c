// Plays a behavior through /dev/raw-gadget: every descriptor and endpoint address is exactly what
// the behavior says. Ends with the device's unplugging; kill it to unplug.
#include "behavior.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usb/raw_gadget.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct control_event { struct usb_raw_event head; struct usb_ctrlrequest request; uint8_t room[16]; };
struct control_io { struct usb_raw_ep_io head; uint8_t data[MAX_CONTROL]; };
struct bulk_io { struct usb_raw_ep_io head; uint8_t data[MAX_BLOCK]; };

static struct options options;
static const struct behavior *behavior;
static int device = -1, handles[MAX_ENDPOINTS], is_high;

static void fail(const char *what)
{
	fprintf(stderr, "raw-gadget: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void halt(int endpoint)
{
	if (ioctl(device, USB_RAW_IOCTL_EP_SET_HALT, handles[endpoint]) < 0)
		report("halt refused: %s", strerror(errno));
}

static void *serve_endpoint(void *argument)
{
	long index = (long)argument;
	const struct endpoint *endpoint = &behavior->endpoints[index];
	struct bulk_io *io = calloc(1, sizeof *io);
	for (;;) {
		io->head.ep = handles[index];
		io->head.flags = 0;
		if (endpoint->address & USB_DIR_IN) {
			io->head.length = behavior->produce(index, io->data);
			// A halted endpoint refuses the request at once: the data wait until the halt is cleared.
			while (ioctl(device, USB_RAW_IOCTL_EP_WRITE, io) < 0) {
				if (errno == ENODEV || errno == ESHUTDOWN)
					return NULL;
				usleep(1000);
			}
		} else {
			io->head.length = endpoint->size;
			int length = ioctl(device, USB_RAW_IOCTL_EP_READ, io);
			if (length >= 0)
				behavior->consume(index, io->data, length);
			else if (errno == ENODEV || errno == ESHUTDOWN)
				return NULL;
			else
				usleep(1000);
		}
	}
}

static int put_endpoint(uint8_t *data, const struct endpoint *endpoint)
{
	uint16_t size = !is_high && endpoint->size > 64 ? 64 : endpoint->size;
	uint8_t bytes[] = {
		USB_DT_ENDPOINT_SIZE, USB_DT_ENDPOINT, endpoint->address, endpoint->type, size & 255,
		size >> 8, endpoint->interval
	};
	memcpy(data, bytes, sizeof bytes);
	return sizeof bytes;
}

static int put_configuration(uint8_t *data, int type)
{
	int length = 0;
	uint8_t head[] = {
		9, type, 0, 0, 1, 1, 0, 0x80, 50,
		9, USB_DT_INTERFACE, 0, 0, behavior->endpoint_count, behavior->interface_class,
		behavior->interface_subclass, behavior->interface_protocol, 0
	};
	memcpy(data, head, sizeof head);
	length = sizeof head;
	if (behavior->report_descriptor) {
		uint16_t size = behavior->report_descriptor_length;
		uint8_t hid[] = {9, 0x21, 0x11, 0x01, 0, 1, 0x22, size & 255, size >> 8};
		memcpy(data + length, hid, sizeof hid);
		length += sizeof hid;
	}
	for (int i = 0; i < behavior->endpoint_count; i++)
		length += put_endpoint(data + length, &behavior->endpoints[i]);
	const char *broken = options.broken ? options.broken : "";
	if (!strcmp(broken, "endpoint")) {  // an endpoint descriptor that is cut short
		uint8_t cut[] = {4, USB_DT_ENDPOINT, 0x84, USB_ENDPOINT_XFER_BULK};
		memcpy(data + length, cut, sizeof cut);
		length += sizeof cut;
	} else if (!strcmp(broken, "tail")) {  // a descriptor that claims more than there is
		uint8_t tail[] = {200, 0x24, 1, 2};
		memcpy(data + length, tail, sizeof tail);
		length += sizeof tail;
	}
	int total = !strcmp(broken, "total") ? length + 64 : length;
	data[2] = total & 255;
	data[3] = total >> 8;
	return length;
}

static int put_string(uint8_t *data, int index)
{
	const char *texts[] = {behavior->manufacturer_text, behavior->product_text, options.serial};
	if (index == 0) {
		memcpy(data, "\4\3\x09\x04", 4);
		return 4;
	}
	if (index > 3 || !texts[index - 1] || !*texts[index - 1])
		return STALL;
	int length = 2;
	for (const char *byte = texts[index - 1]; *byte && length < 254; byte++) {
		data[length++] = *byte;
		data[length++] = 0;
	}
	data[0] = length;
	data[1] = USB_DT_STRING;
	return length;
}

static int put_device(uint8_t *data, int type)
{
	uint8_t bytes[] = {
		18, USB_DT_DEVICE, 0, 2, 0, 0, 0, 64, behavior->vendor & 255, behavior->vendor >> 8,
		behavior->product & 255, behavior->product >> 8, 0, 1, 1, 2, *options.serial ? 3 : 0, 1
	};
	uint8_t qualifier[] = {10, USB_DT_DEVICE_QUALIFIER, 0, 2, 0, 0, 0, 64, 1, 0};
	if (type == USB_DT_DEVICE) {
		memcpy(data, bytes, sizeof bytes);
		return sizeof bytes;
	}
	memcpy(data, qualifier, sizeof qualifier);
	return sizeof qualifier;
}

static int describe(const struct usb_ctrlrequest *request, uint8_t *data)
{
	int type = request->wValue >> 8, index = request->wValue & 255;
	switch (type) {
	case USB_DT_DEVICE: return put_device(data, type);
	case USB_DT_DEVICE_QUALIFIER: return is_high ? put_device(data, type) : STALL;
	case USB_DT_CONFIG: return put_configuration(data, type);
	case USB_DT_OTHER_SPEED_CONFIG: return is_high ? put_configuration(data, type) : STALL;
	case USB_DT_STRING: return put_string(data, index);
	case 0x22:
		if (!behavior->report_descriptor)
			return STALL;
		memcpy(data, behavior->report_descriptor, behavior->report_descriptor_length);
		return behavior->report_descriptor_length;
	default: return STALL;
	}
}

static void enable_endpoints(void)
{
	static int is_enabled;
	if (is_enabled++)
		return;
	for (long i = 0; i < behavior->endpoint_count; i++) {
		struct usb_endpoint_descriptor descriptor = {0};
		put_endpoint((uint8_t *)&descriptor, &behavior->endpoints[i]);
		handles[i] = ioctl(device, USB_RAW_IOCTL_EP_ENABLE, &descriptor);
		if (handles[i] < 0)
			fail("EP_ENABLE");
	}
	if (ioctl(device, USB_RAW_IOCTL_VBUS_DRAW, 50) < 0)
		fail("VBUS_DRAW");
	if (ioctl(device, USB_RAW_IOCTL_CONFIGURE, 0) < 0)
		fail("CONFIGURE");
	for (long i = 0; i < behavior->endpoint_count; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serve_endpoint, (void *)i))
			fail("thread");
	}
	report("configured");
}

static int standard(const struct usb_ctrlrequest *request, uint8_t *data)
{
	switch (request->bRequest) {
	case USB_REQ_GET_DESCRIPTOR: return describe(request, data);
	case USB_REQ_SET_CONFIGURATION: enable_endpoints(); return 0;
	case USB_REQ_GET_CONFIGURATION: data[0] = 1; return 1;
	case USB_REQ_SET_INTERFACE: return request->wValue ? STALL : 0;
	case USB_REQ_GET_INTERFACE: data[0] = 0; return 1;
	default: return STALL;
	}
}

static void answer(const struct usb_ctrlrequest *request)
{
	static struct control_io io;
	int is_in = request->bRequestType & USB_DIR_IN, length = request->wLength;
	int is_standard = (request->bRequestType & USB_TYPE_MASK) == USB_TYPE_STANDARD;
	memset(&io.head, 0, sizeof io.head);
	if (length > MAX_CONTROL) {
		ioctl(device, USB_RAW_IOCTL_EP0_STALL, 0);
		return;
	}
	if (is_in || is_standard) {
		int result = is_standard ? standard(request, io.data) : behavior->control(request, io.data);
		if (result < 0) {
			ioctl(device, USB_RAW_IOCTL_EP0_STALL, 0);
			return;
		}
		io.head.length = result < length ? result : length;
		// A shorter answer whose length is a multiple of 64 ends with an empty packet.
		io.head.flags = is_in && result < length ? USB_RAW_IO_FLAGS_ZERO : 0;
		ioctl(device, is_in ? USB_RAW_IOCTL_EP0_WRITE : USB_RAW_IOCTL_EP0_READ, &io);
		return;
	}
	if (length == 0) {
		if (behavior->control(request, io.data) < 0)
			ioctl(device, USB_RAW_IOCTL_EP0_STALL, 0);
		else
			ioctl(device, USB_RAW_IOCTL_EP0_READ, &io);
		return;
	}
	// Its data come first, and with them the acknowledgment: a refusal is too late then.
	io.head.length = length;
	if (ioctl(device, USB_RAW_IOCTL_EP0_READ, &io) >= 0)
		behavior->control(request, io.data);
}

int main(int argc, char **argv)
{
	options = parse_options(argc, argv);
	behavior = options.behavior;
	halt_endpoint = halt;
	is_high = strcmp(options.speed, "full") != 0;
	device = open("/dev/raw-gadget", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("/dev/raw-gadget");
	struct usb_raw_init init = {.speed = is_high ? USB_SPEED_HIGH : USB_SPEED_FULL};
	snprintf((char *)init.driver_name, sizeof init.driver_name, "%.*s",
	         (int)strcspn(options.udc, "."), options.udc);
	snprintf((char *)init.device_name, sizeof init.device_name, "%s", options.udc);
	if (ioctl(device, USB_RAW_IOCTL_INIT, &init) < 0)
		fail("INIT");
	if (ioctl(device, USB_RAW_IOCTL_RUN, 0) < 0)
		fail(options.udc);
	report("running");
	for (;;) {
		struct control_event event = {.head = {.length = sizeof event.request}};
		if (ioctl(device, USB_RAW_IOCTL_EVENT_FETCH, &event) < 0) {
			if (errno == EINTR)
				continue;
			fail("EVENT_FETCH");
		}
		if (event.head.type == USB_RAW_EVENT_CONTROL)
			answer(&event.request);
	}
}
