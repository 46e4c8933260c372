public import KelvinModel

/// Where a boot loader is reached.
public enum FastbootAddress: Sendable, Hashable {
  case tcp(HostAndPort)
  case udp(HostAndPort)
  case usb(DeviceMatch)

  /// Fastboot's own TCP and UDP port.
  public static let port: UInt16 = 5554

  /// Reads the options of a bench file's `fastboot`.
  ///
  /// - Throws: of kind configuration.
  public init(_ choice: DriverChoice) throws(PlainFailure) {
    let problem = { (text: String, hint: String) in
      PlainFailure(.configuration, "\(choice.location): fastboot: \(text)", hint: hint)
    }
    let network: [(String, (HostAndPort) -> FastbootAddress)] = [
      ("tcp", FastbootAddress.tcp), ("udp", FastbootAddress.udp)
    ]
    for (name, make) in network {
      guard let text = choice.options[name]?.text else { continue }
      guard let place = HostAndPort(text, defaultPort: FastbootAddress.port) else {
        throw problem("\(name): '\(text)' is no HOST:PORT", "write it as in 10.0.0.7:5554")
      }
      self = make(place)
      return
    }
    guard case .map(let usb)? = choice.options["usb"], let match = DeviceMatch(usb["match"]) else {
      throw problem("'usb', 'tcp' or 'udp' is missing", "'kelvin show bootloader fastboot' tells")
    }
    self = .usb(match)
  }

  /// Opens it as it is there now.
  func open(until deadline: Deadline) throws(ConnectionFailure) -> any FastbootTransport {
    switch self {
    case .tcp(let place):
      try FastbootTCP(host: place.host, port: place.port, until: deadline)
    case .udp(let place):
      try FastbootUDP(host: place.host, port: place.port, until: deadline)
    case .usb(let match):
      try FastbootUSB(AndroidInterface.fastboot.find(match), until: deadline)
    }
  }
}

/// A host and a port, written `HOST:PORT`, `[::1]:PORT`, or without the port.
public struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
  public var host: String
  public var port: UInt16

  /// Creates a place from its parts.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads a place; nil when it is none.
  public init?(_ text: String, defaultPort: UInt16) {
    var rest = Substring(text)
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      host = String(text[text.index(after: text.startIndex)..<end])
      rest = text[text.index(after: end)...]
    } else if text.count(where: { $0 == ":" }) > 1 {
      // An address of IPv6 without brackets has no port.
      host = text
      rest = ""
    } else {
      host = String(text.prefix { $0 != ":" })
      rest = text.dropFirst(host.count)
    }
    guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { return nil }
    port = defaultPort
    guard !rest.isEmpty else { return }
    guard rest.first == ":", rest.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = UInt16(rest.dropFirst()), number > 0
    else { return nil }
    port = number
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
