package import KelvinModel
internal import KelvinSystem

extension ConsoleAddress {
  /// Reads what a bench file says of a console: `serial`, `socket`, `telnet`, `rfc2217` or `tcp`.
  ///
  /// - Parameters:
  ///   - baud: the rate when the file names none, from the board's profile.
  ///   - resolve: gives the device node of a match, now.
  /// - Throws: `invalid` for drivers that the owner cannot hold and for options that are missing;
  ///   whatever `resolve` throws.
  package init(
    _ choice: DriverChoice, baud: UInt32? = nil,
    resolve: (DeviceMatch) throws -> String = ConsoleAddress.node(of:)
  ) throws {
    let options = choice.options
    // The owner's working directory is another one.
    let absolute = ConsoleAddress.absolute
    let rate =
      options["baud"]?.integer.flatMap(UInt32.init(exactly:)) ?? baud ?? ConsoleAddress.defaultBaud
    switch choice.driver {
    case "serial":
      let path: String
      if let match = DeviceMatch(options["match"]) {
        path = ConsoleAddress.stablePath(of: try resolve(match))
      } else {
        path = absolute(try ConsoleAddress.text("path", choice))
      }
      self = .serial(path: path, baud: rate)
    case "socket": self = .socket(path: absolute(try ConsoleAddress.text("path", choice)))
    case "telnet":
      self = .telnet(
        host: try ConsoleAddress.text("host", choice),
        port: try ConsoleAddress.port(choice, default: 23))
    case "rfc2217":
      self = .rfc2217(
        host: try ConsoleAddress.text("host", choice),
        port: try ConsoleAddress.port(choice, default: nil), baud: rate)
    case "tcp":
      self = .tcp(
        host: try ConsoleAddress.text("host", choice),
        port: try ConsoleAddress.port(choice, default: nil))
    default:
      throw OwnerFailure(
        .invalid, "\(choice.location): console '\(choice.driver)': the owner cannot hold it",
        hint: "it holds serial, socket, telnet, rfc2217 and tcp")
    }
    // Through the text, so that one place says what is allowed.
    self = try ConsoleAddress(description)
  }

  /// A serial port of this host by a path that stays the same when it comes back.
  ///
  /// - Parameter path: its device node, or anything that leads there.
  package init(serialPort path: String, baud: UInt32) throws(OwnerFailure) {
    let address = ConsoleAddress.serial(
      path: ConsoleAddress.stablePath(of: ConsoleAddress.absolute(path)), baud: baud)
    self = try ConsoleAddress(address.description)
  }

  /// The device node of a match, as udev tells it now.
  ///
  /// - Throws: `DeviceFailure` when none or several match, or this user may not open it.
  package static func node(of match: DeviceMatch) throws -> String {
    let device = try DeviceMatcher(match, role: .serialPort).find(in: UDevContext())
    try device.requireAccess()
    return device.node ?? ""
  }

  /// The path from the root, through no links above the file itself: the file may come and go.
  package static func absolute(_ path: String) -> String {
    let slash = path.lastIndex(of: "/")
    let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard let directory = SmallFile.realPath(parent) else { return path }
    let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
    return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
  }

  private static func text(_ name: String, _ choice: DriverChoice) throws(OwnerFailure) -> String {
    guard let text = choice.options[name]?.text, !text.isEmpty else {
      throw OwnerFailure(
        .invalid, "\(choice.location): console '\(choice.driver)': '\(name)' is missing")
    }
    return text
  }

  private static func port(
    _ choice: DriverChoice, default fallback: UInt16?
  ) throws(OwnerFailure) -> UInt16 {
    let written = choice.options["port"]
    guard let port = written == nil ? fallback : written?.integer.flatMap(UInt16.init(exactly:))
    else {
      throw OwnerFailure(
        .invalid, "\(choice.location): console '\(choice.driver)': 'port' is missing or wrong")
    }
    return port
  }

  /// The path below /dev/serial/by-path that leads to a device node, because the node's own number
  /// changes when the device comes back; the node itself when udev made no such link.
  static func stablePath(of node: String, links: String = "/dev/serial/by-path") -> String {
    guard let device = SmallFile.realPath(node) else { return node }
    let link = SmallFile.names(in: links).first { SmallFile.realPath("\(links)/\($0)") == device }
    return link.map { "\(links)/\($0)" } ?? node
  }
}
