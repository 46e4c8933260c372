internal import CLinux
internal import Glibc
public import KelvinModel
internal import KelvinSystem

/// The ports of a USB hub, and whether their power can be switched.
public struct HubPorts: Sendable, Hashable {
  /// What the hub says of its power switches (USB 2.0, table 11-13: wHubCharacteristics, bits 1-0).
  /// It may say so without having the switches.
  public enum Switching: String, Sendable, CaseIterable {
    case perPort = "per port"
    case allTogether = "all ports together"
    case none
    /// It could not be asked: no permission, or it did not answer.
    case notKnown = "not known"
  }

  public struct Port: Sendable, Hashable {
    /// From 1.
    public let number: Int
    /// The kernel's switch, from Linux 6.0 (Documentation/ABI/testing/sysfs-bus-usb): writing 1 to it
    /// turns the port off.
    public let disablePath: String?
    /// By the kernel's switch; nil when there is none or it cannot be read.
    public let isDisabled: Bool?
    /// The same socket at the other half of a USB 3 hub: `2-1-port3`. Both must be off.
    public let peer: String?
    /// The name that the kernel gives to a USB device at this port: `1-2.3`.
    public let deviceName: String
  }

  public let hub: HostDevice
  public let ports: [Port]
  public let switching: Switching

  /// Whether it is a host controller's own.
  public var isRoot: Bool { hub.name.hasPrefix("usb") }

  /// Whether a port can be told to switch, by the hub's word or the kernel's attribute.
  public var isSwitchable: Bool {
    switching == .perPort
      || (switching == .notKnown && ports.contains { $0.disablePath != nil })
  }

  /// Reads a hub's ports from sysfs, and asks the hub for its descriptor where this user may.
  ///
  /// - Parameters:
  ///   - hub: a USB device of class 09.
  ///   - until: when not to ask any more; one question takes a millisecond, or that of a sleeping hub
  ///     some tens.
  public init(_ hub: HostDevice, until deadline: Deadline) {
    self.init(hub, switching: HubPorts.ask(hub, until: deadline))
  }

  /// The same ports with what became known meanwhile.
  init(_ ports: HubPorts, switching: Switching) {
    hub = ports.hub
    self.ports = ports.ports
    self.switching = switching
  }

  /// Reads a hub's ports from sysfs.
  init(_ hub: HostDevice, switching: Switching) {
    self.hub = hub
    self.switching = switching
    // A root hub `usb1` has the interface `1-0:1.0` and children `1-N`.
    let isRoot = hub.name.hasPrefix("usb")
    let bus = hub.name.dropFirst(3)
    let interface = "\(hub.syspath)/\(isRoot ? "\(bus)-0" : hub.name):1.0"
    let prefix = "\(hub.name)-port"
    ports = SmallFile.names(in: interface).compactMap { name -> Port? in
      guard name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)) else {
        return nil
      }
      let disable = "\(interface)/\(name)/disable"
      let hasSwitch = access(disable, F_OK) == 0
      return Port(
        number: number, disablePath: hasSwitch ? disable : nil,
        isDisabled: hasSwitch ? SmallFile.text(disable, limit: 16).map { $0 == "1" } : nil,
        peer: SmallFile.realPath("\(interface)/\(name)/peer")?.split(separator: "/").last
          .map(String.init),
        deviceName: isRoot ? "\(bus)-\(number)" : "\(hub.name).\(number)")
    }.sorted { $0.number < $1.number }
  }

  /// Longest wait for a hub's answer.
  private static let answerMilliseconds: Int64 = 40

  /// GET_DESCRIPTOR of the hub class (USB 2.0, 11.24.2.5; USB 3.2, 10.16.2.4).
  static func ask(_ hub: HostDevice, until deadline: Deadline) -> Switching {
    guard let node = hub.node, !deadline.hasPassed else { return .notKnown }
    let descriptor = kelvin_open(node, O_RDWR | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return .notKnown }
    defer { close(descriptor) }
    let left = deadline.remainingNanoseconds.map { $0 / 1_000_000 } ?? answerMilliseconds
    let isSuperSpeed = hub.attribute("bDeviceProtocol") == "03"
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = kelvin_usbfs_control_read(
      descriptor, 0xa0, 6, isSuperSpeed ? 0x2a00 : 0x2900, 0, &bytes, UInt16(bytes.count),
      UInt32(max(1, min(left, answerMilliseconds))))
    guard count >= 0 else { return .notKnown }
    return switching(descriptor: Array(bytes.prefix(Int(count))))
  }

  /// Reads a hub descriptor; anything that is none gives ``Switching/notKnown``.
  package static func switching(descriptor bytes: [UInt8]) -> Switching {
    guard bytes.count >= 7, bytes[0] >= 7, bytes[1] == 0x29 || bytes[1] == 0x2a else {
      return .notKnown
    }
    switch bytes[3] & 3 {
    case 0: return .allTogether
    case 1: return .perPort
    default: return .none
    }
  }
}
