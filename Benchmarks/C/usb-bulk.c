// Reads a bulk IN endpoint through a ring of libusb transfers for some seconds; the counterpart of
// `kelvin-benchmarks usb`. Prints bytes, wall and CPU nanoseconds as JSON.
//
//   usb-bulk VENDOR PRODUCT ENDPOINT SECONDS
#include <libusb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { TRANSFERS = 16, SIZE = 16384 };
static uint64_t bytes;
static int running, failed;
static double end;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void done(struct libusb_transfer *transfer) {
  if (transfer->status == LIBUSB_TRANSFER_COMPLETED) bytes += (uint64_t)transfer->actual_length;
  else if (transfer->status != LIBUSB_TRANSFER_CANCELLED) failed = 1;
  if (failed || now() >= end || libusb_submit_transfer(transfer) != 0) running--;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  libusb_context *context;
  if (libusb_init(&context) != 0) return 1;
  libusb_device_handle *device = libusb_open_device_with_vid_pid(
      context, (uint16_t)strtoul(argv[1], NULL, 16), (uint16_t)strtoul(argv[2], NULL, 16));
  if (!device || libusb_claim_interface(device, 0) != 0) {
    fprintf(stderr, "usb-bulk: no such device\n");
    return 1;
  }
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  double begin = now();
  end = begin + atof(argv[4]);
  for (int i = 0; i < TRANSFERS; i++) {
    struct libusb_transfer *transfer = libusb_alloc_transfer(0);
    libusb_fill_bulk_transfer(transfer, device, (unsigned char)strtoul(argv[3], NULL, 16),
                              malloc(SIZE), SIZE, done, NULL, 0);
    if (libusb_submit_transfer(transfer) == 0) running++;
  }
  while (running > 0) libusb_handle_events(context);
  double wall = now() - begin;
  getrusage(RUSAGE_SELF, &after);
  double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
               (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) * 1e-6 +
               (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
               (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) * 1e-6;
  printf("{\"bytes\": %llu, \"wall_ns\": %.0f, \"cpu_ns\": %.0f, \"failed\": %d}\n",
         (unsigned long long)bytes, wall * 1e9, cpu * 1e9, failed);
  return failed;
}
