internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinDevices
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem

/// Gives boards and meters of a bench file as the bench database knows them.
///
/// Used by one thread, for one command: what is attached is looked up once.
final class BenchResources {
  private let declarations: BenchDeclarations
  private let host: HostIdentity
  private let devices = DeviceLookup()

  /// Creates a reader of entries; nothing is looked for yet.
  init(_ declarations: BenchDeclarations, host: HostIdentity) {
    self.declarations = declarations
    self.host = host
  }

  /// A board; what it is known by are the ways to it, over which two runs would meet.
  func board(_ entry: BoardEntry) -> BenchResource {
    let choices = [
      (entry.connection, Declaration.Kind.connection), (entry.console, .console),
      (entry.bootloader, .bootloader)
    ]
    var identities: [BenchResource.Identity] = []
    for case (let choice?, let kind) in choices {
      let declaration = declarations.driver(kind, named: choice.driver)
      // What goes over the console is known by that.
      if kind == .bootloader, declaration?.options.allSatisfy(\.isDetail) ?? false { continue }
      guard var identity = BenchResource.identity(of: choice, declaration, host: host) else {
        continue
      }
      let match = BenchResources.match(in: choice.options)
      if let match {
        let isPort = choice.options["match"] != nil
        identity.devices = names(
          isPort
            ? devices.identities(ofSerialPort: match) : devices.identities(ofDevice: match))
      } else if let path = choice.options["path"]?.text {
        identity.devices = names(devices.identities(ofSerialPortAt: path))
      }
      identities.append(identity)
      identities += file(of: choice)
      identities += otherDescriptions(of: identity, match, .board)
    }
    return BenchResource(
      .board, entry.name, bench: BenchResources.path(of: entry.location), identities: identities)
  }

  /// A meter.
  func meter(_ entry: MeterEntry) -> BenchResource {
    let choice = entry.driver
    // A driver whose options tell no devices apart stands for whichever is there: the name decides.
    let declaration = declarations.driver(.meter, named: choice.driver).flatMap {
      $0.options.contains { !$0.isDetail } ? $0 : nil
    }
    var identities: [BenchResource.Identity] = []
    if var identity = BenchResource.identity(of: choice, declaration, host: host) {
      let match = BenchResources.match(in: choice.options)
      if let match {
        identity.devices = names(devices.identities(ofDevice: match))
      } else if let path = choice.options["path"]?.text {
        identity.devices = names(devices.identities(ofDeviceAt: path))
      }
      identities = [identity] + file(of: choice) + otherDescriptions(of: identity, match, .meter)
    }
    return BenchResource(
      .meter, entry.name, bench: BenchResources.path(of: entry.location), identities: identities)
  }

  /// The file behind all links that a path leads to now, whatever udev knows of it: a pseudo terminal
  /// or a socket has no other identity.
  private func file(of choice: DriverChoice) -> [BenchResource.Identity] {
    guard let path = choice.options["path"]?.text, let file = SmallFile.target(of: path) else {
      return []
    }
    return [BenchResource.Identity("\(host.name): file \(file)")]
  }

  private static func match(in options: [String: Value]) -> DeviceMatch? {
    if let match = DeviceMatch(options["match"]) { return match }
    guard case .map(let usb)? = options["usb"] else { return nil }
    return DeviceMatch(usb["match"])
  }

  /// How others described the device that is found now before it was there: whoever leased a board
  /// that was off, by another match, has it still.
  private func otherDescriptions(
    of identity: BenchResource.Identity, _ match: DeviceMatch?, _ kind: BenchResource.Kind
  ) -> [BenchResource.Identity] {
    // A database that cannot be read is told by whoever takes the board.
    guard !identity.devices.isEmpty, let match,
      let inUse = try? BenchListing.descriptionsInUse(of: kind)
    else { return [] }
    let place = "\(host.name): "
    return inUse.filter { text in
      guard text != identity.written, text.hasPrefix(place), let json = text.firstIndex(of: "{"),
        let options = Value(json: String(text[json...])), case .map(let map) = options,
        let other = BenchResources.match(in: map)
      else { return false }
      return devices.meanTheSame(match, other)
    }.map { BenchResource.Identity($0, devices: identity.devices) }
  }

  /// A device is told from that of another host which shares the bench database: serial numbers of
  /// cheap adapters are no more than "0001".
  private func names(_ identities: [DeviceIdentity]) -> [String] {
    identities.map { "\(host.name): \($0)" }
  }

  private static func path(of location: SourceLocation) -> String {
    SmallFile.realPath(location.file) ?? location.file
  }
}

extension BenchResource {
  /// This machine, which a bench file may call a board, too. Reads no profile: each run asks.
  static func thisMachine(on host: HostIdentity) -> BenchResource {
    let choice = DriverChoice("local", location: SourceLocation(file: ""))
    let declaration = ConnectionDeclarations.connections.first { $0.name == choice.driver }
    return .thisMachine(host, identity: identity(of: choice, declaration, host: host)?.written)
  }

  /// The driver with the options that tell devices apart. What is attached to a host is told from
  /// what is attached to another; an address on the network means the same everywhere.
  fileprivate static func identity(
    of choice: DriverChoice, _ declaration: Declaration?, host: HostIdentity
  ) -> Identity? {
    guard let declaration else { return nil }
    var options = declaration.identity(of: choice).filter { $0.value != .null }
    // From another working directory it is written otherwise.
    for option in declaration.options where option.type == .path {
      guard let path = options[option.name]?.text else { continue }
      options[option.name] = .text(ConsoleAddress.absolute(path))
    }
    let address = ["host", "tcp", "udp"].lazy.compactMap { options[$0]?.text }.first
    let place = address.map(isLoopback) ?? true ? "\(host.name): " : ""
    return Identity("\(place)\(choice.driver) \(Value.map(options).json)")
  }

  private static func isLoopback(_ address: String) -> Bool {
    ["localhost", "127.", "[::1]", "::1"].contains { address.hasPrefix($0) }
  }
}
