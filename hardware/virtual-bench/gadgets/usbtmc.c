// A power supply that speaks SCPI over the USB Test and Measurement Class (USB-IF, USBTMC 1.0): one
// output at 5 V, whose current is 100 mA and a tenth of a milliampere more with each answer.
#include "behavior.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct {
	uint8_t tag;        // of the request that is not answered yet
	int is_asked, limit;
	char answer[8192];  // what is left of it
	int length, sent;
	double volts, limit_amperes;
	int is_on, errors, answers;
} psu = {.volts = 5, .limit_amperes = 1, .is_on = 1};

static void say(const char *text)
{
	snprintf(psu.answer, sizeof psu.answer, "%s\n", text);
	psu.length = strlen(psu.answer);
	psu.sent = 0;
}

static void obey(char *line)
{
	char text[128];
	double value;
	if (!strcmp(line, "*IDN?")) {
		say("Kelvin,PSU-1,VB0001,1.0");
	} else if (!strcmp(line, "SYST:ERR?")) {
		say(psu.errors ? "-113,\"Undefined header\"" : "+0,\"No error\"");
		psu.errors -= psu.errors > 0;
	} else if (!strcmp(line, "MEAS:VOLT?")) {
		snprintf(text, sizeof text, "%.4f", psu.is_on ? psu.volts : 0);
		say(text);
	} else if (!strcmp(line, "MEAS:CURR?")) {
		snprintf(text, sizeof text, "%.4f", psu.is_on ? 0.1 + psu.answers++ * 1e-4 : 0);
		say(text);
	} else if (!strcmp(line, "VOLT?")) {
		snprintf(text, sizeof text, "%.3f", psu.volts);
		say(text);
	} else if (sscanf(line, "VOLT %lf", &value) == 1) {
		psu.volts = value;
		report("volts %.3f", value);
	} else if (!strcmp(line, "OUTP?")) {
		say(psu.is_on ? "1" : "0");
	} else if (!strcmp(line, "OUTP ON") || !strcmp(line, "OUTP OFF")) {
		psu.is_on = line[6] == 'N';
		report("output %d", psu.is_on);
	} else if (!strcmp(line, "HUSH?")) {
		report("hush");  // never answered
	} else if (sscanf(line, "DATA? %lf", &value) == 1 && value <= 8000) {
		// A block: 0, 7, 14 and so on.
		int count = value;
		psu.length = snprintf(psu.answer, 16, "#4%04d", count);
		for (int i = 0; i < count; i++)
			psu.answer[psu.length++] = i * 7;
		psu.answer[psu.length++] = '\n';
		psu.sent = 0;
	} else {
		psu.errors++;
		report("unknown %s", line);
	}
}

int usbtmc_control(const struct usb_ctrlrequest *request, uint8_t *data)
{
	if (request->bRequestType != 0xa1)
		return STALL;
	switch (request->bRequest) {
	case 5:  // INITIATE_CLEAR: success
		pthread_mutex_lock(&lock);
		psu.length = psu.sent = psu.is_asked = 0;
		pthread_mutex_unlock(&lock);
		data[0] = 1;
		return 1;
	case 6:  // CHECK_CLEAR_STATUS: done, nothing to be read
		data[0] = 1;
		data[1] = 0;
		return 2;
	case 7:  // GET_CAPABILITIES
		memset(data, 0, 24);
		data[0] = 1;
		data[3] = 1;
		return 24;
	default: return STALL;
	}
}

void usbtmc_consume(int endpoint, const uint8_t *data, int length)
{
	(void)endpoint;
	if (length < 12 || (data[1] ^ data[2]) != 0xff) {
		report("no header");
		return;
	}
	int size = data[4] | data[5] << 8 | data[6] << 16 | data[7] << 24;
	pthread_mutex_lock(&lock);
	if (data[0] == 1 && size >= 0 && size <= length - 12 && size < 256) {
		char line[256] = "";
		memcpy(line, data + 12, size);
		line[strcspn(line, "\r\n")] = 0;
		obey(line);
	} else if (data[0] == 2 && size > 0) {
		psu.tag = data[1];
		psu.limit = size;
		psu.is_asked = 1;
	} else {
		report("no message");
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

int usbtmc_produce(int endpoint, uint8_t *data)
{
	(void)endpoint;
	pthread_mutex_lock(&lock);
	while (!psu.is_asked || psu.sent == psu.length)
		pthread_cond_wait(&changed, &lock);
	int count = psu.length - psu.sent;
	// In pieces, as instruments with small buffers send a block.
	if (count > psu.limit)
		count = psu.limit;
	if (count > 1000)
		count = 1000;
	int is_last = psu.sent + count == psu.length;
	memset(data, 0, 12);
	data[0] = 2;
	data[1] = psu.tag;
	data[2] = ~psu.tag;
	data[4] = count;
	data[5] = count >> 8;
	data[8] = is_last;
	memcpy(data + 12, psu.answer + psu.sent, count);
	psu.sent += count;
	psu.is_asked = 0;
	int whole = 12 + count;
	while (whole % 4)
		data[whole++] = 0;
	pthread_mutex_unlock(&lock);
	return whole;
}
