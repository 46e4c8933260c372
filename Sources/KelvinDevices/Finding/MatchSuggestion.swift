public import KelvinModel

/// Which keys to put into a bench file for a device: few, stable from plug to plug and from boot to
/// boot, and enough to mean no other device of its role that is here.
public enum MatchSuggestion {
  /// A kind of key, in the order in which they are preferred.
  struct Kind: Sendable, Hashable {
    let name: String
    let inAncestors: Bool

    var text: String { (inAncestors ? "@" : "") + name }

    static let serialProperty = Kind(name: "ID_SERIAL_SHORT", inAncestors: false)
    /// Where udev's rules give the node itself no property: hidraw, and everything without udevd.
    static let serialAttribute = Kind(name: "serial", inAncestors: true)
    static let devicePath = Kind(name: "ID_PATH", inAncestors: true)
    static let ownPath = Kind(name: "ID_PATH", inAncestors: false)
    static let interface = Kind(name: "ID_USB_INTERFACE_NUM", inAncestors: false)
    static let interfaceAttribute = Kind(name: "bInterfaceNumber", inAncestors: true)
    /// Of chips with several ports on one interface (usb-serial's attribute).
    static let port = Kind(name: "port_number", inAncestors: true)
    /// The kernel's name of the USB device (bus and ports; the bus number may change at boot), or of
    /// what a sensor or chip belongs to (`1-0040`: I2C bus and address).
    static let busPath = Kind(name: "sys_name", inAncestors: true)
    /// Of USB devices: the two halves of a USB 3 hub have one serial number and one path (before
    /// systemd 255).
    static let product = Kind(name: "idProduct", inAncestors: false)
    static let ownName = Kind(name: "sys_name", inAncestors: false)
    static let chipName = Kind(name: "name", inAncestors: false)
    static let chipLabel = Kind(name: "label", inAncestors: false)
  }

  /// Combinations, the best first.
  private static let combinations: [[Kind]] = [
    [.serialProperty], [.serialAttribute],
    [.serialProperty, .product], [.serialProperty, .interface],
    [.serialProperty, .interface, .port],
    [.serialAttribute, .interfaceAttribute],
    [.serialAttribute, .interfaceAttribute, .port],
    [.devicePath], [.devicePath, .interface], [.devicePath, .interface, .port],
    [.devicePath, .interfaceAttribute], [.ownPath],
    [.devicePath, .product], [.ownPath, .product], [.chipLabel], [.chipName],
    [.chipName, .busPath], [.busPath], [.busPath, .interfaceAttribute],
    [.busPath, .interfaceAttribute, .port],
    [.ownName]
  ]

  /// A match that means this device and no other of `devices`.
  ///
  /// - Parameter devices: all devices of its role, itself included.
  public static func match(for device: HostDevice, among devices: [HostDevice]) -> DeviceMatch {
    for kinds in combinations {
      let keys = kinds.compactMap { key($0, of: device) }
      guard keys.count == kinds.count else { continue }
      let isAmbiguous = devices.contains { other in
        other.syspath != device.syspath
          && keys.allSatisfy { DeviceMatcher.holds($0, for: other) }
      }
      if !isAmbiguous { return DeviceMatch(keys) }
    }
    return DeviceMatch([DeviceMatch.Key("sys_path", device.syspath)])
  }

  /// The smallest set of kinds of keys whose values differ for all these devices.
  static func distinguishing(_ devices: [HostDevice]) -> [Kind] {
    let kinds: [Kind] = [
      .serialProperty, .serialAttribute, .devicePath, .interface, .interfaceAttribute, .port,
      .product, .ownPath, .busPath, .ownName
    ]
    let values = kinds.map { kind in devices.map { key(kind, of: $0)?.value ?? "" } }
    for count in 1...3 {
      for choice in choices(of: count, from: kinds.count) {
        let seen = Set(devices.indices.map { device in choice.map { values[$0][device] } })
        if seen.count == devices.count { return choice.map { kinds[$0] } }
      }
    }
    return []
  }

  private static func choices(of count: Int, from total: Int, start: Int = 0) -> [[Int]] {
    guard count > 0 else { return [[]] }
    guard start < total else { return [] }
    return (start..<total).flatMap { first in
      choices(of: count - 1, from: total, start: first + 1).map { [first] + $0 }
    }
  }

  /// The device's key of a kind; nil when it has none.
  static func key(_ kind: Kind, of device: HostDevice) -> DeviceMatch.Key? {
    let value: String? =
      switch kind {
      case .serialProperty:
        device.properties["ID_SERIAL_SHORT"].flatMap { $0.isEmpty ? nil : $0 }
      case .serialAttribute:
        device.serialNumber == nil ? nil : device.usbDevice?.attribute("serial")
      case .devicePath: device.usbDevice?.properties["ID_PATH"] ?? device.properties["ID_PATH"]
      case .ownPath: device.properties["ID_PATH"]
      case .interface: device.properties["ID_USB_INTERFACE_NUM"]
      case .interfaceAttribute: device.usbInterface?.attribute("bInterfaceNumber")
      case .port: device.nearestAttribute("port_number")
      case .busPath:
        (device.usbDevice ?? device.ancestors.first { !$0.subsystem.isEmpty })?.name
      case .ownName: device.name
      default: device.attribute(kind.name)
      }
    return value.map { DeviceMatch.Key(kind.name, inAncestors: kind.inAncestors, $0) }
  }
}
