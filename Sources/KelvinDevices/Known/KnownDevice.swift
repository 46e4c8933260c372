public import KelvinModel

/// A USB device that Kelvin knows what to do with.
public struct KnownDevice: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case meter, relay, hub, serialAdapter, debugProbe
  }

  /// What of it is opened, which decides who may: each gets a udev rule.
  public enum Node: String, Sendable, CaseIterable {
    /// /dev/ttyACM*, /dev/ttyUSB*
    case serial
    /// /dev/hidraw*
    case hid
    /// /dev/bus/usb/*, through libusb.
    case usb
    /// /dev/usbtmc*
    case testInstrument
  }

  public let id: USBDeviceID
  public let kind: Kind
  public let name: String
  /// In the name of its link, /dev/kelvin/LINK-...: small letters, digits and dashes.
  public let link: String
  public let nodes: [Node]
  /// The driver that a bench file names; nil: none of its own.
  public let driver: String?
  /// Ids that several makers share are told apart by the beginning of the product's name.
  public let productPrefix: String?
  /// What a user should know.
  public let note: String
  /// Where the id was found.
  public let source: String

  /// Describes a device.
  public init(
    _ vendor: UInt16, _ product: UInt16, _ kind: Kind, _ name: String, link: String,
    _ nodes: [Node],
    driver: String? = nil, productPrefix: String? = nil, note: String = "", source: String
  ) {
    id = USBDeviceID(vendor: vendor, product: product)
    self.kind = kind
    self.name = name
    self.link = link
    self.nodes = nodes
    self.driver = driver
    self.productPrefix = productPrefix
    self.note = note
    self.source = source
  }

  /// Whether a USB device (or what belongs to one) is this.
  public func describes(_ device: HostDevice) -> Bool {
    guard device.usbID == id else { return false }
    guard let productPrefix else { return true }
    return device.usbDevice?.attribute("product")?.hasPrefix(productPrefix) ?? false
  }
}
