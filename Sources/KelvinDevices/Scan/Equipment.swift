public import KelvinModel

/// What is attached to this host and of use to a bench.
public struct Equipment: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case serialAdapter = "serial adapter"
    case adb
    case fastboot
    case meter
    case relay
    case hub = "hub with switchable ports"
    case debugProbe = "debug probe"
    case sensor = "hwmon sensor"
    case gpioChip = "GPIO chip"

    /// The heading of a list of them.
    public var plural: String {
      switch self {
      case .adb: "adb devices"
      case .fastboot: "fastboot devices"
      case .hub: "hubs with switchable ports"
      default: rawValue + "s"
      }
    }
  }

  public struct Item: Sendable, Hashable {
    public let kind: Kind
    /// In words, by the table or by the device itself.
    public let title: String
    public let usbID: USBDeviceID?
    public let identity: DeviceIdentity
    /// What a bench file says to mean it.
    public let match: DeviceMatch
    /// What is opened to use it; changes from plug to plug.
    public let nodes: [String]
    /// A link that does not change, where udev keeps one.
    public let link: String?
    public let access: DeviceAccess
    /// The driver that a bench file names.
    public let driver: String?
    public let serialNumber: String?
    /// Of a hub.
    public let ports: HubPorts?
    /// What a user should know.
    public let notes: [String]
  }

  /// By kind, then by path.
  public var items: [Item]

  /// Creates a list.
  public init(items: [Item]) { self.items = items }

  /// Those of a kind.
  public func items(_ kind: Kind) -> [Item] { items.filter { $0.kind == kind } }
}
