internal import KelvinSystem

/// Where a port is that the owner holds: a console's far end, or a line.
package enum PortAddress: Sendable, Hashable {
  case console(ConsoleAddress)
  /// A line of a GPIO chip of this host: the chip's label, name or path, and the line's number.
  case gpio(chip: String, line: UInt32)
}

extension PortAddress: CustomStringConvertible {
  /// `gpio:pinctrl-bcm2711:17`, else as ``ConsoleAddress`` writes it; ``init(_:)`` reads it back.
  package var description: String {
    switch self {
    case .console(let address): address.description
    case .gpio(let chip, let line): "gpio:\(chip):\(line)"
    }
  }

  /// Reads `gpio:CHIP:LINE`, or a console's address.
  package init(_ text: String) throws(OwnerFailure) {
    guard text.hasPrefix("gpio:") else {
      self = .console(try ConsoleAddress(text))
      return
    }
    let rest = text.dropFirst(5)
    // Labels may hold colons themselves: INT34C6:00.
    guard let colon = rest.lastIndex(of: ":"), colon != rest.startIndex,
      let line = UInt32(rest[rest.index(after: colon)...]), !rest.utf8.contains(0),
      rest.utf8.count < 4096
    else {
      throw OwnerFailure(.invalid, "'\(text)': is no GPIO line", hint: "write gpio:CHIP:LINE")
    }
    self = .gpio(chip: String(rest[..<colon]), line: line)
  }

  /// Whether both lead to one port, whatever its settings; symbolic links are followed.
  func isSamePlace(as other: PortAddress) -> Bool {
    switch (self, other) {
    case (.console(let address), .console(let another)): address.isSamePlace(as: another)
    default: self == other
    }
  }

  /// The address of a console; nil: it is a line.
  package var console: ConsoleAddress? {
    if case .console(let address) = self { address } else { nil }
  }
}

extension ConsoleAddress {
  /// Whether both lead to one port, whatever its settings; symbolic links are followed.
  func isSamePlace(as other: ConsoleAddress) -> Bool { place == other.place }

  private var place: String {
    switch self {
    case .serial(let path, _), .pty(let path), .socket(let path):
      "path " + (SmallFile.realPath(path) ?? path)
    case .tcp(let host, let port), .telnet(let host, let port), .rfc2217(let host, let port, _):
      "port \(host) \(port)"
    }
  }
}
