#include "CLinuxUSBFS.h"

#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

int kelvin_usbfs_control_read(int fd, uint8_t request_type, uint8_t request, uint16_t value,
                              uint16_t index, void *data, uint16_t length, uint32_t milliseconds) {
  struct usbdevfs_ctrltransfer transfer = {
      .bRequestType = request_type | 0x80,
      .bRequest = request,
      .wValue = value,
      .wIndex = index,
      .wLength = length,
      .timeout = milliseconds,
      .data = data,
  };
  return ioctl(fd, USBDEVFS_CONTROL, &transfer);
}
