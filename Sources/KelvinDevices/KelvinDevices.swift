/// KelvinDevices finds, names and holds what is plugged in: udev, libusb, matching, hotplug, leases,
/// and the process that owns ports.
///
/// It must not know protocols above USB and tty, nor what a device is used for.
enum KelvinDevices {}
