internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem

// Entries of a bench file as the bench database knows them.

extension BenchResource {
  /// This machine, which a bench file may call a board, too. Reads no profile: each run asks.
  static func thisMachine(on host: HostIdentity) -> BenchResource {
    let choice = DriverChoice("local", location: SourceLocation(file: ""))
    let declaration = ConnectionDeclarations.connections.first { $0.name == choice.driver }
    return .thisMachine(host, identity: identity(of: choice, declaration, host: host))
  }

  /// A board; what it is known by is the way to it, over which two runs would meet.
  init(_ entry: BoardEntry, declarations: BenchDeclarations, host: HostIdentity) {
    let choices = [(entry.connection, Declaration.Kind.connection), (entry.console, .console)]
    let identity = choices.lazy.compactMap { choice, kind in
      choice.flatMap {
        BenchResource.identity(of: $0, declarations.driver(kind, named: $0.driver), host: host)
      }
    }.first
    self.init(
      .board, entry.name, bench: BenchResource.path(of: entry.location), identity: identity)
  }

  /// A meter.
  init(_ entry: MeterEntry, declarations: BenchDeclarations, host: HostIdentity) {
    // A driver whose options tell no devices apart stands for whichever is there: the name decides.
    let declaration = declarations.driver(.meter, named: entry.driver.driver).flatMap {
      $0.options.contains { !$0.isDetail } ? $0 : nil
    }
    self.init(
      .meter, entry.name, bench: BenchResource.path(of: entry.location),
      identity: BenchResource.identity(of: entry.driver, declaration, host: host))
  }

  private static func path(of location: SourceLocation) -> String {
    SmallFile.realPath(location.file) ?? location.file
  }

  /// The driver with the options that tell devices apart. What is attached to a host is told from
  /// what is attached to another; an address on the network means the same everywhere.
  static func identity(
    of choice: DriverChoice, _ declaration: Declaration?, host: HostIdentity
  ) -> String? {
    guard let declaration else { return nil }
    let options = declaration.identity(of: choice).filter { $0.value != .null }
    let address = ["host", "tcp", "udp"].lazy.compactMap { options[$0]?.text }.first
    let place = address.map(isLoopback) ?? true ? "\(host.name): " : ""
    return "\(place)\(choice.driver) \(Value.map(options).json)"
  }

  private static func isLoopback(_ address: String) -> Bool {
    ["localhost", "127.", "[::1]", "::1"].contains { address.hasPrefix($0) }
  }
}
