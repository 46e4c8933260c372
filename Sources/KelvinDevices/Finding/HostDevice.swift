public import KelvinModel
internal import KelvinSystem

/// A device of this host as udev knew it when it was looked up: a value, which outlives the device.
///
/// Properties are a snapshot, and so are the attributes that identify it; other attributes are read from
/// sysfs when asked for, and are nil once the device has gone.
public struct HostDevice: Sendable, Hashable {
  /// The absolute path below /sys, without symbolic links: the kernel's own name of the device.
  public let syspath: String
  /// The last part of the path: `ttyUSB0`, `1-2:1.0`. Numbers in it change from plug to plug.
  public let name: String
  /// `tty`, `usb`, `hidraw`, ...; empty for a device without one.
  public let subsystem: String
  /// DEVTYPE: `usb_device`, `usb_interface`; nil for most.
  public let type: String?
  /// /dev/..., when it has a node.
  public let node: String?
  /// Symbolic links to the node, sorted.
  public let links: [String]
  /// Those of the kernel's event and of udev's database; those that udev adds (`ID_...`) are missing
  /// where no udevd runs.
  public let properties: [String: String]
  /// Attributes that were read with it: those of USB devices and interfaces that say what they are.
  public let attributes: [String: String]
  /// Nearest first.
  public let ancestors: [HostDevice]
  /// Whether udevd has handled it. Classes without node and rule, such as hwmon, never are
  /// (udev_device_get_is_initialized(3)).
  public let isInitialized: Bool

  /// Creates a device from its parts.
  public init(
    syspath: String, subsystem: String, type: String? = nil, node: String? = nil,
    links: [String] = [], properties: [String: String] = [:], attributes: [String: String] = [:],
    ancestors: [HostDevice] = [], isInitialized: Bool = true
  ) {
    self.syspath = syspath
    name = String(syspath.drop { $0 != "/" }.split(separator: "/").last ?? "")
    self.subsystem = subsystem
    self.type = type
    self.node = node
    self.links = links
    self.properties = properties
    self.attributes = attributes
    self.ancestors = ancestors
    self.isInitialized = isInitialized
  }

  /// It and its ancestors, nearest first.
  public var line: [HostDevice] { [self] + ancestors }
}

extension HostDevice {
  /// Longest attribute that is read; sysfs itself ends at a page (Documentation/filesystems/sysfs.rst).
  static let attributeLimit = 4096

  /// A sysfs attribute's text without the white space at its ends; nil when there is none, or it is
  /// not for this user. A link (`driver`, `subsystem`) gives the name of what it points at.
  public func attribute(_ name: String) -> String? {
    if let value = attributes[name] { return value }
    // A name comes from a bench file: it stays below the device.
    guard !name.isEmpty, !name.hasPrefix("/"), !name.contains("\0"),
      !name.split(separator: "/").contains("..")
    else { return nil }
    return HostDevice.readAttribute(name, of: syspath)
  }

  private static func readAttribute(_ name: String, of syspath: String) -> String? {
    let path = "\(syspath)/\(name)"
    if ["driver", "subsystem", "module"].contains(name) {
      return SmallFile.realPath(path)?.split(separator: "/").last.map(String.init)
    }
    return SmallFile.text(path, limit: HostDevice.attributeLimit)
  }

  /// The attributes that are kept with a device.
  static func identifyingAttributes(
    of syspath: String, subsystem: String, type: String?
  ) -> [String: String] {
    let names: [String] =
      switch (subsystem, type) {
      case ("usb", "usb_device"):
        [
          "idVendor", "idProduct", "serial", "manufacturer", "product", "bDeviceClass",
          "bDeviceProtocol"
        ]
      case ("usb", "usb_interface"):
        ["bInterfaceNumber", "bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"]
      case ("usb-serial", _): ["port_number"]
      default: []
      }
    var attributes: [String: String] = [:]
    for name in names { attributes[name] = readAttribute(name, of: syspath) }
    return attributes
  }

  /// What a key of a match means here: a property, else a sysfs attribute, else one of the names
  /// that labgrid's patterns may use for what udev knows about every device.
  public func value(of key: String) -> String? {
    properties[key] ?? attribute(key) ?? field(key)
  }

  /// The nearest attribute of this name, its own or an ancestor's.
  public func nearestAttribute(_ name: String) -> String? {
    for device in line { if let value = device.attribute(name) { return value } }
    return nil
  }

  /// The nearest ancestor, or it itself, of a subsystem and type.
  public func nearest(_ subsystem: String, type: String? = nil) -> HostDevice? {
    line.first { $0.subsystem == subsystem && (type == nil || $0.type == type) }
  }

  /// pyudev's names (pyudev.Device), which labgrid accepts as keys.
  private func field(_ key: String) -> String? {
    switch key {
    case "sys_name": name
    case "sys_path": syspath
    case "sys_number":
      name.last?.isNumber == true ? String(name.reversed().prefix { $0.isNumber }.reversed()) : nil
    case "device_path": syspath.hasPrefix("/sys") ? String(syspath.dropFirst(4)) : syspath
    case "device_node": node
    case "device_type": type
    case "subsystem": subsystem.isEmpty ? nil : subsystem
    default: nil
    }
  }
}

extension HostDevice {
  /// The USB device that it belongs to, or is.
  public var usbDevice: HostDevice? { nearest("usb", type: "usb_device") }
  /// The USB interface that it belongs to, or is.
  public var usbInterface: HostDevice? { nearest("usb", type: "usb_interface") }

  /// Vendor and product of its USB device.
  public var usbID: USBDeviceID? {
    guard let device = usbDevice else { return nil }
    if let vendor = device.attribute("idVendor"), let product = device.attribute("idProduct") {
      return USBDeviceID("\(vendor):\(product)")
    }
    // Of a device that was pulled before its files could be read: `PRODUCT=1915/c00a/100` comes with
    // the kernel's event (drivers/usb/core/usb.c).
    let parts = device.properties["PRODUCT"]?.split(separator: "/") ?? []
    guard parts.count == 3, let vendor = UInt16(parts[0], radix: 16),
      let product = UInt16(parts[1], radix: 16)
    else { return nil }
    return USBDeviceID(vendor: vendor, product: product)
  }

  /// The USB device's serial number, as udev cleans it where it runs, else as the device says it.
  /// Empty ones are none; a root hub's, which is its controller's address, is none either.
  public var serialNumber: String? {
    guard let device = usbDevice, device.usbID?.vendor != 0x1d6b,
      let serial = device.properties["ID_SERIAL_SHORT"] ?? device.attribute("serial")
    else { return nil }
    return serial.isEmpty ? nil : serial
  }

  /// Two hexadecimal digits, as in ID_USB_INTERFACE_NUM.
  public var usbInterfaceNumber: String? {
    properties["ID_USB_INTERFACE_NUM"] ?? usbInterface?.attribute("bInterfaceNumber")
  }

  /// Manufacturer and product in words, as the device or udev's hardware database says them.
  public var usbTitle: String? {
    guard let device = usbDevice else { return nil }
    let maker = device.attribute("manufacturer") ?? device.properties["ID_VENDOR_FROM_DATABASE"]
    let product = device.attribute("product") ?? device.properties["ID_MODEL_FROM_DATABASE"]
    let words = [maker, product].compactMap { $0 }.filter { !$0.isEmpty }
    return words.isEmpty ? nil : words.joined(separator: " ")
  }
}
