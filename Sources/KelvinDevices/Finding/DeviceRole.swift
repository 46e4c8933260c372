/// What a device is looked for as: a match is only compared with devices of its role, so that a serial
/// number means the adapter's port and not its USB device, its interfaces and its node besides.
public enum DeviceRole: String, Sendable, CaseIterable {
  /// A tty with hardware behind it.
  case serialPort
  case usbDevice
  case usbHub
  case usbInterface
  case hidDevice
  case usbTestInstrument
  /// A hwmon device.
  case sensor
  case iioDevice
  case gpioChip

  /// The kernel's subsystems that it is found in.
  public var subsystems: [String] {
    switch self {
    case .serialPort: ["tty"]
    case .usbDevice, .usbHub, .usbInterface: ["usb"]
    case .hidDevice: ["hidraw"]
    case .usbTestInstrument: ["usbmisc"]
    case .sensor: ["hwmon"]
    case .iioDevice: ["iio"]
    case .gpioChip: ["gpio"]
    }
  }

  /// For messages: `no serial port matches ...`.
  public var noun: String {
    switch self {
    case .serialPort: "serial port"
    case .usbDevice: "USB device"
    case .usbHub: "USB hub"
    case .usbInterface: "USB interface"
    case .hidDevice: "HID device"
    case .usbTestInstrument: "USB test instrument"
    case .sensor: "hwmon sensor"
    case .iioDevice: "IIO device"
    case .gpioChip: "GPIO chip"
    }
  }

  /// Whether a device has this role.
  public func includes(_ device: HostDevice) -> Bool {
    guard subsystems.contains(device.subsystem) else { return false }
    switch self {
    case .serialPort:
      // Consoles and pseudo-terminals are virtual; the 8250 driver has ports without a chip, whose
      // type is 0 (PORT_UNKNOWN, linux/serial_core.h).
      return device.node != nil && !device.syspath.contains("/devices/virtual/")
        && device.attribute("type") != "0"
    case .usbDevice: return device.type == "usb_device"
    case .usbHub: return device.type == "usb_device" && device.attribute("bDeviceClass") == "09"
    case .usbInterface: return device.type == "usb_interface"
    case .usbTestInstrument: return device.name.hasPrefix("usbtmc")
    case .iioDevice: return device.name.hasPrefix("iio:device")
    case .gpioChip: return device.node != nil && device.name.hasPrefix("gpiochip")
    case .hidDevice, .sensor: return true
    }
  }
}
