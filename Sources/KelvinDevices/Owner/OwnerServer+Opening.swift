internal import Glibc
internal import KelvinModel
internal import KelvinSystem

// What is held, and what is let go.

extension OwnerServer {
  func open(
    _ name: String, _ text: String, keep: Bool, isLink: Bool, _ number: UInt64,
    _ client: ServedClient
  ) throws(OwnerFailure) {
    try OwnerServer.check(name)
    let address = PortAddress.console(try ConsoleAddress(text))
    guard let entry = held[name], entry.port.purpose.kind != .line else {
      try begin(name, address, keep: keep, isLink: isLink, number, client)
      return
    }
    guard !entry.isClosing else { throw OwnerServer.closing(name) }
    let purpose = entry.port.purpose
    guard purpose.address == address, purpose.isLink == isLink else {
      if isForsaken(name) {
        held[name]?.isClosing = true
        held[name]?.successor = (client.id, number, text, keep, isLink)
        entry.port.stop()
        return
      }
      throw OwnerFailure(
        .conflict,
        "'\(name)': is held at \(purpose.address) as a \(purpose.kind.rawValue), "
          + "not at \(address) as a \(isLink ? "link" : "console")",
        hint: "close it first: 'kelvin bench down --console \(name)'")
    }
    if keep { held[name]?.keep = true }
    // Whoever asks for it again means what is there now.
    entry.port.retry()
    guard entry.port.snapshot.state != .opening, let holding = holding(name) else {
      held[name]?.opening.append((client.id, number))
      return
    }
    client.answer(number, ["holding": holding.value])
  }

  /// Whether nothing is lost when it is let go: its far end is gone, nobody uses it, and it powers
  /// nothing.
  private func isForsaken(_ name: String) -> Bool {
    guard let entry = held[name], case .lost = entry.port.snapshot.state else { return false }
    return !entry.outlivesIdleness && entry.drives.isEmpty && users(of: name).isEmpty
  }

  /// Holds a console that is not held yet; a port that is, for its lines, serves both from now on.
  private func begin(
    _ name: String, _ address: PortAddress, keep: Bool, isLink: Bool, _ number: UInt64,
    _ client: ServedClient
  ) throws(OwnerFailure) {
    if isLink { try OwnerServer.checkLink(address) }
    let makePurpose = { () throws(OwnerFailure) in
      HeldPort.Purpose(
        name: name, address: address, log: isLink ? nil : try self.makeLog(name, address),
        isLink: isLink)
    }
    guard let (other, entry) = holder(of: address) else {
      if let line = held[name] {
        throw OwnerFailure(
          .conflict, "'\(name)': is a line, at \(line.port.purpose.address)",
          hint: "close it first: 'kelvin bench down --console \(name)'")
      }
      let port = try makePort(try makePurpose())
      held[name] = Held(port: port, keep: keep, opening: [(client.id, number)])
      report("\(name): held at \(address)")
      return
    }
    guard !entry.isClosing else { throw OwnerServer.closing(other) }
    guard entry.port.purpose.kind == .line, held[name] == nil || name == other else {
      throw OwnerFailure(
        .conflict, "'\(name)': \(address) is held as '\(other)' already")
    }
    entry.port.adopt(try makePurpose())
    held[other] = nil
    held[name] = entry
    held[name]?.keep = keep
    held[name]?.opening.append((client.id, number))
    entry.port.retry()
    report("\(name): held at \(address), which was held as '\(other)' for its lines")
    doorbell.ring()
  }

  /// What is held at an address, whatever its settings.
  func holder(of address: PortAddress) -> (name: String, entry: Held)? {
    held.first { $0.value.port.purpose.address.isSamePlace(as: address) }
      .map { ($0.key, $0.value) }
  }

  static func check(_ name: String) throws(OwnerFailure) {
    guard !Owner.isValidName(name) else { return }
    throw OwnerFailure(
      .invalid, "'\(name)': is no name of a console",
      hint: "at most 100 bytes, without '/' and spaces, no '.' or '-' at the start")
  }

  static func closing(_ name: String) -> OwnerFailure {
    OwnerFailure(.busy, "'\(name)': is being closed", hint: "try again")
  }

  private func makeLog(_ name: String, _ address: PortAddress) throws(OwnerFailure) -> ConsoleLog {
    let log = try ConsoleLog(
      directory: places.consoleDirectory(name), limits: options.limits,
      socket: places.socketPath)
    log.note(
      "owner",
      [
        "pid": .integer(Int64(getpid())),
        "boot": .text(SmallFile.text("/proc/sys/kernel/random/boot_id") ?? ""),
        "address": .text(address.description)
      ])
    return log
  }

  /// Has a port held from now on.
  func makePort(_ purpose: HeldPort.Purpose) throws(OwnerFailure) -> HeldPort {
    guard held.count < OwnerServer.portLimit else {
      throw OwnerFailure(.busy, "the owner holds \(held.count) ports, and takes no more")
    }
    let port = HeldPort(
      purpose, backoff: options.backoff, onChange: { [doorbell] in doorbell.ring() })
    try port.start()
    return port
  }

  func letGo(
    _ name: String, force: Bool, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    guard let entry = held[name] else { throw unknown(name) }
    let others = users(of: name).filter { $0.id != client.id }.map(\.title)
    if !force, let first = others.first {
      throw OwnerFailure(
        .inUse, "'\(name)': \(first) is attached",
        evidence: others.dropFirst().joined(separator: ", "), hint: "end it first, or use --force")
    }
    if !force, let reason = reasonToKeep(name) {
      throw OwnerFailure(.inUse, reason, hint: "use --force to let it go all the same")
    }
    held[name]?.isClosing = true
    held[name]?.closing.append((client.id, number))
    entry.port.stop()
  }

  func shutDown(
    force: Bool, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    var reasons: [String] = []
    for name in held.keys.sorted() {
      reasons += users(of: name).filter { $0.id != client.id }.map { "\($0.title) uses '\(name)'" }
      if let reason = reasonToKeep(name) { reasons.append(reason) }
    }
    guard force || reasons.isEmpty else {
      throw OwnerFailure(
        .inUse, "the owner of ports is in use: " + reasons.joined(separator: ", "),
        hint: "end them first, or use --force")
    }
    client.answer(number, ["closed": .list(held.keys.sorted().map(Value.text))])
    isEnding = true
  }

  /// Why a port is not let go of without force; nil: it may be.
  private func reasonToKeep(_ name: String) -> String? {
    guard let entry = held[name], entry.isKept else { return nil }
    let powered = entry.powered.map { "'\($0)'" }.joined(separator: " and ")
    if powered.isEmpty { return "'\(name)' is to be kept" }
    return "\(powered == "'\(name)'" ? powered : "'\(name)' drives \(powered), which") "
      + "powers a board, or keeps it out of reset"
  }
}
