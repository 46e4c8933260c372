internal import Glibc
internal import KelvinModel

// What clients ask.

extension OwnerServer {
  /// Acts on a request; what cannot be done is answered by a refusal.
  ///
  /// - Throws: what the client cannot be forgiven: it is sent away.
  func handle(_ frame: OwnerFrame, from client: ServedClient) throws(OwnerFailure) {
    guard let id = frame.header["id"]?.integer, id > 0 else {
      throw OwnerFailure(.malformed, "a request without an id")
    }
    let request = try OwnerRequest(frame)
    let number = UInt64(id)
    if case .hello(let version, let name) = request {
      return try greet(client, number, version: version, name: name)
    }
    guard client.program != nil else {
      throw OwnerFailure(.malformed, "a request before 'hello'")
    }
    do throws(OwnerFailure) {
      try act(on: request, number, of: client)
    } catch {
      client.refuse(number, error)
    }
  }

  private func greet(
    _ client: ServedClient, _ number: UInt64, version: Int, name: String
  ) throws(OwnerFailure) {
    guard version == Owner.version else {
      throw OwnerFailure(
        .version, "the owner speaks version \(Owner.version) of its protocol, not \(version)",
        hint:
          "end it by the Kelvin that started it ('kelvin bench down'), or by SIGTERM to process "
          + "\(getpid())")
    }
    client.program = String(name.prefix(100))
    client.answer(
      number,
      [
        "version": .integer(Int64(Owner.version)), "pid": .integer(Int64(getpid())),
        "state": .text(places.stateDirectory)
      ])
  }

  private func act(
    on request: OwnerRequest, _ number: UInt64, of client: ServedClient
  ) throws(OwnerFailure) {
    switch request {
    case .hello: break
    case .open(let name, let address, let keep, let isLink):
      try open(name, address, keep: keep, isLink: isLink, number, client)
    case .attach(let name):
      guard let holding = holding(name) else { throw unknown(name) }
      guard holding.kind == .console else {
        throw OwnerFailure(
          .unsupported, "'\(name)': is no console but a \(holding.kind.rawValue)",
          evidence: holding.address)
      }
      client.attached.insert(name)
      client.logs[name] = ConsoleLogReader(directory: holding.log)
      client.answer(number, ["holding": holding.value])
    case .detach(let name):
      client.attached.remove(name)
      client.logs[name] = nil
      if held[name]?.writer == client.id { held[name]?.writer = nil }
      client.answer(number)
    case .read(let name, let position, let limit, let serial, let milliseconds):
      try read(
        ServedClient.PendingRead(
          request: number, name: name, position: position, limit: limit, serial: serial,
          deadline: .after(seconds: Double(milliseconds) / 1000)), client)
    case .write(let name, let bytes, let milliseconds):
      try order(.write(bytes), name, milliseconds: milliseconds, number, client)
    case .borrow(let name): try borrow(name, number, client)
    case .giveBack(let name):
      if let entry = held[name], entry.port.purpose.isLink, entry.writer == client.id {
        held[name]?.writer = nil
        client.attached.remove(name)
        takeBack(entry.port)
      }
      client.answer(number)
    case .setLines(let name, let lines):
      try order(.set(lines), name, milliseconds: 5000, number, client)
    case .sendBreak(let name, let milliseconds):
      try order(
        .sendBreak(milliseconds: milliseconds), name, milliseconds: milliseconds + 5000, number,
        client)
    case .takeWriter(let name, let force):
      guard let entry = held[name] else { throw unknown(name) }
      guard entry.port.purpose.kind == .console else {
        throw OwnerFailure(
          .unsupported, "'\(name)': is no console but a \(entry.port.purpose.kind.rawValue)")
      }
      if !force, let writer = entry.writer, writer != client.id {
        throw writerTaken(name, by: writer)
      }
      held[name]?.writer = client.id
      client.answer(number)
    case .releaseWriter(let name):
      if held[name]?.writer == client.id { held[name]?.writer = nil }
      client.answer(number)
    case .drive(let drive): try self.drive(drive, number, client)
    case .list:
      let all = held.keys.sorted().compactMap { holding($0)?.value }
      client.answer(number, ["holdings": .list(all)])
    case .close(let name, let force): try letGo(name, force: force, number, client)
    case .shutdown(let force): try shutDown(force: force, number, client)
    }
  }

  // MARK: Using

  private func read(
    _ read: ServedClient.PendingRead, _ client: ServedClient
  ) throws(OwnerFailure) {
    guard let port = held[read.name]?.port else { throw unknown(read.name) }
    guard client.attached.contains(read.name) else {
      throw OwnerFailure(.malformed, "console '\(read.name)': a read without 'attach'")
    }
    let end = port.extent.end
    guard read.position <= end else {
      throw OwnerFailure(
        .invalid,
        "console '\(read.name)': position \(read.position) is behind the log's end, \(end)",
        hint: "its log was begun anew; read from the end, or from 0")
    }
    guard client.reads.count < ServedClient.readLimit else {
      throw OwnerFailure(.busy, "console '\(read.name)': too many reads wait")
    }
    client.reads.append(read)
  }

  private func order(
    _ action: PortOrder.Action, _ name: String, milliseconds: Int, _ number: UInt64,
    _ client: ServedClient
  ) throws(OwnerFailure) {
    guard let entry = held[name] else { throw unknown(name) }
    guard entry.writer == client.id else {
      if let writer = entry.writer { throw writerTaken(name, by: writer) }
      throw OwnerFailure(.writerTaken, "console '\(name)': writing needs 'take-writer' first")
    }
    if case .write = action, entry.port.purpose.kind != .console {
      throw OwnerFailure(
        .unsupported, "'\(name)': is no console but a \(entry.port.purpose.kind.rawValue)")
    }
    try hand(action, to: entry.port, deadline: .after(seconds: Double(milliseconds) / 1000)) {
      Ordered(client: client.id, request: number)
    }
  }

  private func writerTaken(_ name: String, by id: Int) -> OwnerFailure {
    OwnerFailure(
      .writerTaken, "console '\(name)': \(clients[id]?.title ?? "another client") writes to it",
      hint: "take it over with --take-over")
  }
}
