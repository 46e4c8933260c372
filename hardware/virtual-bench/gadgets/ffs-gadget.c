// Plays a behavior through FunctionFS, which every Debian kernel has. The device's ids and strings
// come from configfs (see configfs.sh), and the kernel chooses the endpoint addresses. Ends with the
// device's unplugging; kill it to unplug.
#include "behavior.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/functionfs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct options options;
static const struct behavior *behavior;
static int control = -1, files[MAX_ENDPOINTS];

static void fail(const char *what)
{
	fprintf(stderr, "ffs-gadget: %s: %s\n", what, strerror(errno));
	_exit(1);
}

// Using an endpoint the wrong way round halts it (Documentation/usb/functionfs.rst).
static void halt(int endpoint)
{
	uint8_t byte = 0;
	int is_in = behavior->endpoints[endpoint].address & USB_DIR_IN;
	ssize_t count = is_in ? read(files[endpoint], &byte, 1) : write(files[endpoint], &byte, 1);
	if (count < 0 && errno != EBADMSG)
		report("halt refused: %s", strerror(errno));
}

static void *serve_endpoint(void *argument)
{
	long index = (long)argument;
	const struct endpoint *endpoint = &behavior->endpoints[index];
	uint8_t *data = calloc(1, MAX_BLOCK);
	for (;;) {
		if (endpoint->address & USB_DIR_IN) {
			int length = behavior->produce(index, data);
			while (write(files[index], data, length) < 0) {
				if (errno == EBADF || errno == ENODEV)
					return NULL;
				usleep(1000);
			}
		} else {
			ssize_t length = read(files[index], data, endpoint->size);
			if (length >= 0)
				behavior->consume(index, data, length);
			else if (errno == EBADF || errno == ENODEV)
				return NULL;
			else
				usleep(1000);
		}
	}
}

static void put(uint8_t **end, const void *data, size_t length)
{
	memcpy(*end, data, length);
	*end += length;
}

static int put_function(uint8_t **end, int is_high)
{
	int count = 1;
	uint8_t interface[] = {
		9, USB_DT_INTERFACE, 0, 0, behavior->endpoint_count, behavior->interface_class,
		behavior->interface_subclass, behavior->interface_protocol, 0
	};
	put(end, interface, sizeof interface);
	if (behavior->report_descriptor) {
		uint16_t size = behavior->report_descriptor_length;
		uint8_t hid[] = {9, 0x21, 0x11, 0x01, 0, 1, 0x22, size & 255, size >> 8};
		put(end, hid, sizeof hid);
		count++;
	}
	for (int i = 0; i < behavior->endpoint_count; i++) {
		const struct endpoint *endpoint = &behavior->endpoints[i];
		uint16_t size = !is_high && endpoint->size > 64 ? 64 : endpoint->size;
		uint8_t bytes[] = {
			7, USB_DT_ENDPOINT, endpoint->address, endpoint->type, size & 255, size >> 8,
			endpoint->interval
		};
		put(end, bytes, sizeof bytes);
		count++;
	}
	return count;
}

static void write_descriptors(void)
{
	uint8_t buffer[1024], *end = buffer + 20;
	uint32_t full = put_function(&end, 0), high = put_function(&end, 1);
	uint32_t head[] = {
		htole32(FUNCTIONFS_DESCRIPTORS_MAGIC_V2), htole32(end - buffer),
		htole32(FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC | FUNCTIONFS_ALL_CTRL_RECIP),
		htole32(full), htole32(high)
	};
	memcpy(buffer, head, sizeof head);
	if (write(control, buffer, end - buffer) < 0)
		fail("descriptors");
	uint32_t strings[] = {htole32(FUNCTIONFS_STRINGS_MAGIC), htole32(16), 0, 0};
	if (write(control, strings, sizeof strings) < 0)
		fail("strings");
}

static void answer(const struct usb_ctrlrequest *request)
{
	static uint8_t data[MAX_CONTROL];
	int is_in = request->bRequestType & USB_DIR_IN, length = request->wLength, result = STALL;
	if (length > MAX_CONTROL) {
		result = STALL;
	} else if (request->bRequestType == 0x81 && request->bRequest == USB_REQ_GET_DESCRIPTOR
	           && request->wValue >> 8 == 0x22 && behavior->report_descriptor) {
		result = behavior->report_descriptor_length;
		memcpy(data, behavior->report_descriptor, result);
	} else if (!is_in && length > 0) {
		if (read(control, data, length) >= 0)
			behavior->control(request, data);
		return;
	} else {
		result = behavior->control(request, data);
	}
	// The wrong direction refuses the request. Nothing is to be done about a host that gave up.
	ssize_t count;
	if (result < 0)
		count = is_in ? read(control, data, 0) : write(control, data, 0);
	else if (is_in)
		count = write(control, data, result < length ? result : length);
	else
		count = read(control, data, 0);
	(void)count;
}

int main(int argc, char **argv)
{
	options = parse_options(argc, argv);
	behavior = options.behavior;
	halt_endpoint = halt;
	char path[512];
	if (!options.mount || !options.gadget) {
		fprintf(stderr, "ffs-gadget: --gadget and --mount are needed\n");
		return 2;
	}
	snprintf(path, sizeof path, "%s/ep0", options.mount);
	control = open(path, O_RDWR | O_CLOEXEC);
	if (control < 0)
		fail(path);
	write_descriptors();
	for (long i = 0; i < behavior->endpoint_count; i++) {
		snprintf(path, sizeof path, "%s/ep%ld", options.mount, i + 1);
		files[i] = open(path, O_RDWR | O_CLOEXEC);
		if (files[i] < 0)
			fail(path);
	}
	for (long i = 0; i < behavior->endpoint_count; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serve_endpoint, (void *)i))
			fail("thread");
	}
	snprintf(path, sizeof path, "%s/UDC", options.gadget);
	int udc = open(path, O_WRONLY | O_CLOEXEC);
	if (udc < 0 || write(udc, options.udc, strlen(options.udc)) < 0)
		fail(path);
	close(udc);
	report("running");
	for (;;) {
		struct usb_functionfs_event event;
		ssize_t count = read(control, &event, sizeof event);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < (ssize_t)sizeof event)
			fail("ep0");
		if (event.type == FUNCTIONFS_SETUP)
			answer(&event.u.setup);
		else if (event.type == FUNCTIONFS_ENABLE)
			report("configured");
		else if (event.type == FUNCTIONFS_UNBIND)
			return 0;
	}
}
