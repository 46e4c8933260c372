/// What a device says of itself: its configurations, interfaces and endpoints (USB 2.0, chapter 9).
///
/// Read from the device, so nothing in it is believed: what does not fit is left out and named in
/// ``problems``, and the rest is used.
public struct USBDescriptors: Sendable, Hashable {
  public struct Configuration: Sendable, Hashable {
    /// What SET_CONFIGURATION takes.
    public var value: UInt8
    /// One for each interface and alternate setting, in the order of the device.
    public var interfaces: [Interface] = []
  }

  public struct Interface: Sendable, Hashable {
    public var number: UInt8
    public var alternate: UInt8
    public var interfaceClass: UInt8
    public var interfaceSubclass: UInt8
    public var interfaceProtocol: UInt8
    public var endpoints: [Endpoint] = []
  }

  public struct Endpoint: Sendable, Hashable {
    public enum Kind: UInt8, Sendable { case control, isochronous, bulk, interrupt }

    /// With bit 7 set for IN, towards the host.
    public var address: UInt8
    public var kind: Kind
    /// Bytes.
    public var maxPacketSize: Int
    public var interval: UInt8

    /// Whether data come from the device.
    public var isIn: Bool { address & 0x80 != 0 }
  }

  public var configurations: [Configuration] = []
  /// What was left out, and why; empty for a device that keeps to the standard.
  public var problems: [String] = []

  /// Reads the bytes of the sysfs file `descriptors`: the device descriptor and after it each
  /// configuration with all that belongs to it.
  ///
  /// - Returns: nil when there is no whole device descriptor.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count >= 18, bytes[0] >= 18, bytes[1] == 1 else { return nil }
    var start = Int(bytes[0])
    while start < bytes.count {
      guard bytes.count - start >= 9, bytes[start] >= 9, bytes[start + 1] == 2 else {
        problems.append("byte \(start): no configuration descriptor")
        return
      }
      let total = Int(bytes[start + 2]) | Int(bytes[start + 3]) << 8
      if total < 9 {
        problems.append("byte \(start): a configuration of \(total) bytes")
        return
      }
      if total > bytes.count - start {
        problems.append(
          "byte \(start): a configuration of \(total) bytes, \(bytes.count - start) are there")
      }
      let end = min(start + total, bytes.count)
      configurations.append(readConfiguration(bytes[start..<end]))
      start = end
    }
  }

  private mutating func readConfiguration(_ bytes: ArraySlice<UInt8>) -> Configuration {
    var configuration = Configuration(value: bytes[bytes.startIndex + 5])
    // Endpoints belong to the interface before them, if that one could be read.
    var hasInterface = false
    var position = bytes.startIndex + Int(bytes[bytes.startIndex])
    while position < bytes.endIndex {
      let length = Int(bytes[position])
      guard length >= 2, length <= bytes.endIndex - position else {
        problems.append(
          "byte \(position): a descriptor of \(length) bytes, \(bytes.endIndex - position) are left"
        )
        return configuration
      }
      let descriptor = bytes[position..<position + length]
      switch bytes[position + 1] {
      case 4:
        hasInterface = length >= 9
        if hasInterface {
          configuration.interfaces.append(Interface(descriptor))
        } else {
          problems.append("byte \(position): an interface descriptor of \(length) bytes")
        }
      case 5:
        if let endpoint = Endpoint(descriptor), hasInterface {
          configuration.interfaces[configuration.interfaces.count - 1].endpoints.append(endpoint)
        } else {
          problems.append("byte \(position): an endpoint that cannot be used")
        }
      default:
        // Of a class, or newer than this code.
        break
      }
      position += length
    }
    return configuration
  }

  /// An interface's setting in the configuration of this value; nil when there is none.
  public func interface(
    _ number: UInt8, alternate: UInt8 = 0, configuration value: UInt8?
  ) -> Interface? {
    let configuration = configurations.first { value == nil || $0.value == value }
    return configuration?.interfaces.first { $0.number == number && $0.alternate == alternate }
  }
}

extension USBDescriptors.Interface {
  fileprivate init(_ bytes: ArraySlice<UInt8>) {
    let start = bytes.startIndex
    number = bytes[start + 2]
    alternate = bytes[start + 3]
    interfaceClass = bytes[start + 5]
    interfaceSubclass = bytes[start + 6]
    interfaceProtocol = bytes[start + 7]
  }
}

extension USBDescriptors.Endpoint {
  /// Nil when it is cut short, has the number 0 of the control pipe, or moves nothing.
  fileprivate init?(_ bytes: ArraySlice<UInt8>) {
    guard bytes.count >= 7 else { return nil }
    let start = bytes.startIndex
    address = bytes[start + 2] & 0x8f
    // Bits 11 and 12 count further packets of fast periodic endpoints.
    maxPacketSize = (Int(bytes[start + 4]) | Int(bytes[start + 5]) << 8) & 0x7ff
    interval = bytes[start + 6]
    guard let kind = Kind(rawValue: bytes[start + 3] & 3), address & 15 != 0, maxPacketSize > 0
    else { return nil }
    self.kind = kind
  }
}
