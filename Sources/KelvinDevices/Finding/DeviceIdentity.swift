/// What makes a device the same one after it was pulled and plugged in again, or after a boot.
///
/// A USB device with a serial number is itself on whichever port; one without is what sits on that
/// port. Never a number that the kernel hands out (ttyUSB0, 1-2, hidraw3).
public struct DeviceIdentity: Sendable, Hashable, CustomStringConvertible {
  /// `usb:1915:c00a:E1A2:01`: bus, id, serial number or path, interface.
  public let description: String

  /// Takes an identity that was kept as text.
  public init(text: String) { description = text }

  /// The identity of a device.
  ///
  /// - Parameter others: devices that are here too: a serial number that another USB device of the
  ///   same kind shares (cheap adapters all say `0001`) identifies nothing, so the port does.
  public init(_ device: HostDevice, among others: [HostDevice] = []) {
    let isShared = others.contains { other in
      guard let usb = device.usbDevice, let otherUSB = other.usbDevice,
        otherUSB.syspath != usb.syspath
      else { return false }
      return other.usbID == device.usbID && other.serialNumber == device.serialNumber
    }
    self.init(device, bySerialNumber: !isShared)
  }

  /// Everything that a device is known by here, the identity that it keeps longest first: also the
  /// port of one that a serial number identifies, since another device with that number may come.
  public static func all(
    of device: HostDevice, among others: [HostDevice]
  ) -> [DeviceIdentity] {
    let own = DeviceIdentity(device, among: others)
    let place = DeviceIdentity(device, bySerialNumber: false)
    return own == place ? [own] : [own, place]
  }

  private init(_ device: HostDevice, bySerialNumber: Bool) {
    guard let usb = device.usbDevice, let id = device.usbID else {
      let place = device.properties["ID_PATH"] ?? DeviceIdentity.place(device)
      description = "\(device.subsystem):\(place)"
      return
    }
    var parts = ["usb", "\(id)"]
    if bySerialNumber, let serial = device.serialNumber {
      parts.append(serial)
    } else {
      parts.append("@" + (usb.properties["ID_PATH"] ?? usb.name))
    }
    if device.type != "usb_device" {
      if let interface = device.usbInterfaceNumber { parts.append(interface) }
      if let port = device.nearestAttribute("port_number") { parts.append("port\(port)") }
    }
    description = parts.joined(separator: ":")
  }

  /// The path without the class and the number at its end, which is where the hardware is.
  private static func place(_ device: HostDevice) -> String {
    let parent = device.ancestors.first { !$0.subsystem.isEmpty }?.syspath ?? device.syspath
    return parent.hasPrefix("/sys/devices/") ? String(parent.dropFirst(13)) : parent
  }
}
