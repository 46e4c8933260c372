internal import KelvinModel

// What ports tell, and what waits for it.

extension OwnerServer {
  /// Passes on what has happened to ports.
  func attendPorts() {
    for (name, console) in consoles {
      for outcome in console.port.takeOutcomes() { pass(outcome) }
      let snapshot = console.port.snapshot
      if snapshot.state != .opening {
        let waiting = console.opening
        consoles[name]?.opening = []
        for entry in waiting { answerStatus(name, to: entry) }
      }
      if snapshot.isFinished {
        // Orders of the last moment are refused by the port itself before it is through.
        for outcome in console.port.takeOutcomes() { pass(outcome) }
        for entry in console.closing { clients[entry.client]?.answer(entry.request) }
        consoles[name] = nil
        for client in clients.values { client.logs[name] = nil }
        report("console \(name): closed")
      }
    }
  }

  private func pass(_ outcome: PortOutcome) {
    guard let order = orders.removeValue(forKey: outcome.id), let client = clients[order.client]
    else { return }
    let values: [String: Value] = ["written": .integer(Int64(outcome.written))]
    if let failure = outcome.failure {
      client.refuse(order.request, failure, values)
    } else {
      client.answer(order.request, values)
    }
  }

  private func answerStatus(_ name: String, to entry: (client: Int, request: UInt64)) {
    guard let status = status(of: name) else { return }
    clients[entry.client]?.answer(entry.request, ["console": status.value])
  }

  func status(of name: String) -> ConsoleStatus? {
    guard let console = consoles[name] else { return nil }
    return ConsoleStatus(
      name: name, address: console.port.address.description, snapshot: console.port.snapshot,
      keep: console.keep, extent: console.port.log.extent, log: console.port.log.directory,
      readers: users(of: name).map(\.title), writer: console.writer.flatMap { clients[$0]?.title })
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
      guard let console = consoles[read.name] else {
        client.refuse(read.request, unknown(read.name))
        return false
      }
      let extent = console.port.log.extent
      let snapshot = console.port.snapshot
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
      .unknownConsole, "console '\(name)': the owner holds none of this name",
      hint: "'kelvin bench up' lists what it holds")
  }
}
