#include <libusb.h>

// libusb_set_option is variadic, which Swift cannot call.

/// Contexts made from now on look for no devices: those that are opened come as file descriptors.
static inline int kelvin_usb_without_discovery(void) {
  return libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
}

/// How much a context logs: LIBUSB_LOG_LEVEL_NONE to LIBUSB_LOG_LEVEL_DEBUG.
static inline int kelvin_usb_set_log_level(libusb_context *context, int level) {
  return libusb_set_option(context, LIBUSB_OPTION_LOG_LEVEL, level);
}
