internal import Glibc
internal import KelvinSystem

/// A USB device as the kernel lists it: no permission is needed to read this, and nothing is sent to
/// the device.
public struct USBDeviceInfo: Sendable, Hashable {
  public enum Speed: String, Sendable {
    case low = "1.5"
    case full = "12"
    case high = "480"
    case superSpeed = "5000"
    case superSpeedPlus = "10000"
    case superSpeedPlus2x2 = "20000"
    case unknown
  }

  /// The kernel's name, which says where it is plugged in: `3-1.4`; `usb3` for a root hub.
  public let name: String
  public let busNumber: Int
  /// Given anew at each plugging in.
  public let deviceNumber: Int
  /// Ports from the root hub to the device; empty for a root hub.
  public let portPath: [Int]
  public let vendorID: UInt16
  public let productID: UInt16
  /// 0: its interfaces have classes of their own; 9: a hub.
  public let deviceClass: UInt8
  public let speed: Speed
  public let manufacturer: String?
  public let product: String?
  public let serialNumber: String?
  /// Absolute, without symbolic links: `/sys/devices/.../3-1.4`.
  public let syspath: String

  /// Reads one device's directory in sysfs; nil when it is none, or is gone in the middle.
  public init?(syspath path: String) {
    guard let syspath = SmallFile.realPath(path) else { return nil }
    let text = { (name: String) in SmallFile.text("\(syspath)/\(name)", limit: 4096) }
    guard let busNumber = text("busnum").flatMap({ Int($0) }),
      let deviceNumber = text("devnum").flatMap({ Int($0) }),
      let vendorID = text("idVendor").flatMap({ UInt16($0, radix: 16) }),
      let productID = text("idProduct").flatMap({ UInt16($0, radix: 16) })
    else { return nil }
    self.syspath = syspath
    self.busNumber = busNumber
    self.deviceNumber = deviceNumber
    self.vendorID = vendorID
    self.productID = productID
    name = String(syspath.split(separator: "/").last ?? "")
    // `0` for a root hub, `1.4` else.
    portPath = (text("devpath") ?? "").split(separator: ".").compactMap { Int($0) }
      .filter { $0 > 0 }
    deviceClass = text("bDeviceClass").flatMap { UInt8($0, radix: 16) } ?? 0
    speed = text("speed").flatMap(Speed.init(rawValue:)) ?? .unknown
    manufacturer = text("manufacturer")
    product = text("product")
    serialNumber = text("serial")
  }

  /// What is plugged in, in the order of buses and ports.
  public static func all(sysfs: String = "/sys") -> [USBDeviceInfo] {
    let directory = "\(sysfs)/bus/usb/devices"
    return SmallFile.names(in: directory)
      // The others are interfaces: 3-1.4:1.0.
      .filter { !$0.utf8.contains(UInt8(ascii: ":")) }
      .compactMap { USBDeviceInfo(syspath: "\(directory)/\($0)") }
      .sorted { ($0.busNumber, $0.portPath) < ($1.busNumber, $1.portPath) }
  }

  /// The device that is plugged in there now; nil when there is none.
  public static func at(
    bus: Int, portPath: [Int], sysfs: String = "/sys"
  ) -> USBDeviceInfo? {
    let ports = portPath.map(String.init).joined(separator: ".")
    let name = portPath.isEmpty ? "usb\(bus)" : "\(bus)-\(ports)"
    return USBDeviceInfo(syspath: "\(sysfs)/bus/usb/devices/\(name)")
  }

  /// The USB device that something in sysfs belongs to: an interface, a port, a tty, or itself.
  public static func owner(of path: String) -> USBDeviceInfo? {
    guard var parts = SmallFile.realPath(path)?.split(separator: "/") else { return nil }
    while !parts.isEmpty {
      if let info = USBDeviceInfo(syspath: "/" + parts.joined(separator: "/")) { return info }
      parts.removeLast()
    }
    return nil
  }

  /// Whether it runs at 5 Gbit/s or more: such a hub is the other half of one for the lower speeds.
  public var isSuperSpeed: Bool {
    switch speed {
    case .superSpeed, .superSpeedPlus, .superSpeedPlus2x2: true
    case .low, .full, .high, .unknown: false
    }
  }

  /// Whether other devices can be plugged into it.
  public var isHub: Bool { deviceClass == 9 }

  /// `/dev/bus/usb/003/004`
  public func node(in dev: String = "/dev") -> String {
    "\(dev)/bus/usb/\(Self.digits(busNumber, 3))/\(Self.digits(deviceNumber, 3))"
  }

  /// Its configurations, interfaces and endpoints; nil when it is gone.
  public func descriptors() -> USBDescriptors? {
    SmallFile.read("\(syspath)/descriptors", limit: 1 << 20).flatMap(USBDescriptors.init)
  }

  /// The value of the configuration that is set; nil when none is.
  public var activeConfiguration: UInt8? {
    SmallFile.text("\(syspath)/bConfigurationValue").flatMap { UInt8($0) }
  }

  private static func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }

  /// `1209:0001`
  public var ids: String { "\(Self.hex(vendorID)):\(Self.hex(productID))" }

  static func hex(_ number: UInt16) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 4 - text.utf8.count) + text
  }
}

extension USBDeviceInfo: CustomStringConvertible {
  /// `device 1209:0001 'Virtual instrument' (serial VB0001) at 3-1`
  public var description: String {
    var text = "device \(ids)"
    if let product { text += " '\(product)'" }
    if let serialNumber { text += " (serial \(serialNumber))" }
    return text + " at \(name)"
  }
}

/// Port paths in order: a hub before what is plugged into it.
private func < (left: (Int, [Int]), right: (Int, [Int])) -> Bool {
  left.0 != right.0 ? left.0 < right.0 : left.1.lexicographicallyPrecedes(right.1)
}
