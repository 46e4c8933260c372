internal import Glibc
internal import KelvinModel

// What ports tell, and what waits for it.

extension OwnerServer {
  /// Passes on what has happened to ports.
  func attendPorts() {
    for (name, entry) in held {
      for outcome in entry.port.takeOutcomes() { pass(outcome) }
      let snapshot = entry.port.snapshot
      if snapshot.state != .opening {
        let waiting = entry.opening
        held[name]?.opening = []
        for entry in waiting { answerStatus(name, to: entry) }
        attendDrives(of: name)
      }
      if snapshot.isFinished {
        // Orders of the last moment are refused by the port itself before it is through.
        for outcome in entry.port.takeOutcomes() { pass(outcome) }
        for entry in entry.closing { clients[entry.client]?.answer(entry.request) }
        held[name] = nil
        for client in clients.values { client.logs[name] = nil }
        report("\(name): closed")
        if let next = entry.successor, let client = clients[next.client] {
          do throws(OwnerFailure) {
            try open(
              name, next.address, keep: next.keep, isLink: next.isLink, next.request, client)
          } catch {
            client.refuse(next.request, error)
          }
        }
      }
    }
  }

  private func pass(_ outcome: PortOutcome) {
    guard let order = orders.removeValue(forKey: outcome.id) else {
      if let descriptor = outcome.descriptor { close(descriptor) }
      return
    }
    let client = clients[order.client]
    let values: [String: Value] = ["written": .integer(Int64(outcome.written))]
    if let failure = outcome.failure {
      client?.refuse(order.request, failure, values)
      if let port = order.drive?.port { dropUndriven(port) }
      if let link = order.link, held[link]?.writer == order.client {
        held[link]?.writer = nil
        client?.attached.remove(link)
      }
    } else if let drive = order.drive {
      // What was done counts also when whoever asked is gone.
      guard let name = held.first(where: { $0.value.port === drive.port })?.key else { return }
      if let powers = drive.powers { held[name]?.drivers[drive.name] = powers }
      answerStatus(name, to: (order.client, order.request))
    } else if let client {
      client.answer(order.request, values, passing: outcome.descriptor)
    } else if let descriptor = outcome.descriptor {
      close(descriptor)
    }
  }

  private func answerStatus(_ name: String, to entry: (client: Int, request: UInt64)) {
    guard let holding = holding(name) else { return }
    clients[entry.client]?.answer(entry.request, ["holding": holding.value])
  }

  func holding(_ name: String) -> Holding? {
    guard let entry = held[name] else { return nil }
    return Holding(
      entry.port.snapshot, entry.port.purpose, extent: entry.port.extent, keep: entry.keep,
      drivers: entry.drivers, readers: users(of: name).map(\.title),
      writer: entry.writer.flatMap { clients[$0]?.title })
  }

  /// Who is attached, in the order in which they came.
  func users(of name: String) -> [ServedClient] {
    clients.values.filter { $0.attached.contains(name) }.sorted { $0.id < $1.id }
  }

  /// Answers a read that need not wait any longer.
  ///
  /// - Returns: whether there was one.
  func answerReads(of client: ServedClient) -> Bool {
    guard !client.reads.isEmpty else { return false }
    let count = client.reads.count
    client.reads = client.reads.filter { read in
      // One answer on the way is enough: a client that does not take it waits, and nobody else.
      guard !client.hasOutbound else { return true }
      guard let port = held[read.name]?.port else {
        client.refuse(read.request, unknown(read.name))
        return false
      }
      let extent = port.extent
      let snapshot = port.snapshot
      let isNews = read.serial.map { $0 != snapshot.serial } ?? false
      guard extent.end > read.position || isNews || read.deadline.hasPassed else { return true }
      answer(read, of: client, extent, snapshot)
      return false
    }
    return client.reads.count < count
  }

  private func answer(
    _ read: ServedClient.PendingRead, of client: ServedClient, _ extent: ConsoleLog.Extent,
    _ snapshot: HeldPort.Snapshot
  ) {
    var piece = ConsoleLogReader.Piece(position: read.position, bytes: [])
    if extent.end > read.position, let log = client.logs[read.name] {
      piece = log.read(at: read.position, limit: read.limit)
      // Whoever cut the files short took these bytes away: they are skipped, not waited for.
      if piece.bytes.isEmpty { piece.position = max(piece.position, extent.end) }
    }
    var values: [String: Value] = [
      "position": .integer(Int64(clamping: piece.position)),
      "end": .integer(Int64(clamping: extent.end)),
      "lost": .integer(Int64(clamping: extent.lost)),
      "state": .text(snapshot.state.name), "serial": .integer(Int64(clamping: snapshot.serial))
    ]
    if let reason = snapshot.state.reason { values["reason"] = .text(reason) }
    client.answer(read.request, values, body: piece.bytes)
  }

  func unknown(_ name: String) -> OwnerFailure {
    OwnerFailure(
      .unknownConsole, "'\(name)': the owner holds nothing of this name",
      hint: "'kelvin bench up' lists what it holds")
  }
}
