internal import KelvinModel

// Lines: of GPIO chips, and of serial ports whether or not they are consoles.

extension OwnerServer {
  /// Has lines driven, of a port that is held already or from now on.
  func drive(
    _ drive: LineDrive, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    try OwnerServer.check(drive.name)
    let address = try PortAddress(drive.address)
    let deadline = Deadline.after(seconds: Double(drive.milliseconds) / 1000)
    let name: String
    if let (other, entry) = holder(of: address) {
      guard !entry.isClosing else { throw OwnerServer.closing(other) }
      // Whoever drives it means what is there now.
      entry.port.retry()
      name = other
    } else {
      guard !drive.isHeldOnly else { throw unknown(drive.name) }
      guard held[drive.name] == nil else {
        throw OwnerFailure(
          .conflict,
          "'\(drive.name)': is held at \(held[drive.name]?.port.purpose.address.description ?? ""),"
            + " not at \(address)",
          hint: "close it first: 'kelvin bench down --console \(drive.name)'")
      }
      name = drive.name
      let port = try makePort(.init(name: name, address: address, log: nil))
      held[name] = Held(port: port, keep: false)
      report("\(name): held at \(address), for its lines")
    }
    held[name]?.drives.append((client.id, number, drive, deadline))
    attendDrives(of: name)
  }

  /// Passes on what waited for a port to be there, or refuses it.
  func attendDrives(of name: String) {
    guard let entry = held[name], !entry.drives.isEmpty, entry.port.snapshot.state != .opening
    else { return }
    held[name]?.drives = []
    for (id, request, drive, deadline) in entry.drives {
      do throws(OwnerFailure) {
        guard case .open = entry.port.snapshot.state else {
          throw OwnerFailure(
            .lost, "'\(name)': \(entry.port.snapshot.state.reason ?? "is not there")")
        }
        try hand(.set(drive.lines), to: entry.port, deadline: deadline) {
          Ordered(client: id, request: request, drive: (entry.port, drive.name, drive.powers))
        }
        if drive.lines != ControlLines() { report("\(name): \(drive.lines)") }
      } catch {
        clients[id]?.refuse(request, error)
        dropUndriven(entry.port)
      }
    }
  }

  /// Lets go of a port that is held for lines that were never driven.
  func dropUndriven(_ port: HeldPort) {
    guard let name = held.first(where: { $0.value.port === port })?.key,
      let entry = held[name], entry.port.purpose.kind == .line, entry.drivers.isEmpty,
      entry.drives.isEmpty, !entry.isClosing
    else { return }
    held[name]?.isClosing = true
    port.stop()
  }
}
