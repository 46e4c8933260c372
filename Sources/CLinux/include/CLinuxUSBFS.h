// A read over usbfs, for what must be known about a hub without claiming it.
#ifndef KELVIN_CLINUX_USBFS_H
#define KELVIN_CLINUX_USBFS_H

#include <stdint.h>

/// USBDEVFS_CONTROL with data to the host (linux/usbdevice_fs.h). Blocks for `milliseconds` at most.
/// Returns the number of bytes, or -1 with errno.
int kelvin_usbfs_control_read(int fd, uint8_t request_type, uint8_t request, uint16_t value,
                              uint16_t index, void *data, uint16_t length, uint32_t milliseconds);

#endif
