internal import Glibc
internal import KelvinModel
internal import KelvinSystem

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
    case .open(let name, let address, let keep):
      try open(name, address, keep: keep, number, client)
    case .attach(let name):
      guard let status = status(of: name) else { throw unknown(name) }
      client.attached.insert(name)
      client.logs[name] = ConsoleLogReader(directory: status.log)
      client.answer(number, ["console": status.value])
    case .detach(let name):
      client.attached.remove(name)
      client.logs[name] = nil
      if consoles[name]?.writer == client.id { consoles[name]?.writer = nil }
      client.answer(number)
    case .read(let name, let position, let limit, let serial, let milliseconds):
      try read(
        ServedClient.PendingRead(
          request: number, name: name, position: position, limit: limit, serial: serial,
          deadline: .after(seconds: Double(milliseconds) / 1000)), client)
    case .write(let name, let bytes, let milliseconds):
      try order(.write(bytes), name, milliseconds: milliseconds, number, client)
    case .setLines(let name, let lines):
      try order(.set(lines), name, milliseconds: 5000, number, client)
    case .sendBreak(let name, let milliseconds):
      try order(
        .sendBreak(milliseconds: milliseconds), name, milliseconds: milliseconds + 5000, number,
        client)
    case .takeWriter(let name, let force):
      guard let console = consoles[name] else { throw unknown(name) }
      if !force, let writer = console.writer, writer != client.id {
        throw writerTaken(name, by: writer)
      }
      consoles[name]?.writer = client.id
      client.answer(number)
    case .releaseWriter(let name):
      if consoles[name]?.writer == client.id { consoles[name]?.writer = nil }
      client.answer(number)
    case .list:
      let all = consoles.keys.sorted().compactMap { status(of: $0)?.value }
      client.answer(number, ["consoles": .list(all)])
    case .close(let name, let force): try close(name, force: force, number, client)
    case .shutdown(let force): try shutDown(force: force, number, client)
    }
  }

  // MARK: Opening and closing

  private func open(
    _ name: String, _ text: String, keep: Bool, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    guard Owner.isValidName(name) else {
      throw OwnerFailure(
        .invalid, "'\(name)': is no name of a console",
        hint: "at most 100 bytes, without '/' and spaces, no '.' or '-' at the start")
    }
    let address = try ConsoleAddress(text)
    guard let console = consoles[name] else {
      let port = try makePort(name, address)
      consoles[name] = Held(port: port, keep: keep, opening: [(client.id, number)])
      report("console \(name): held at \(address)")
      return
    }
    guard !console.isClosing else {
      throw OwnerFailure(.busy, "console '\(name)': is being closed", hint: "try again")
    }
    guard console.port.address == address else {
      throw OwnerFailure(
        .conflict, "console '\(name)': is held at \(console.port.address), not at \(address)",
        hint: "close it first: 'kelvin bench down --console \(name)'")
    }
    if keep { consoles[name]?.keep = true }
    // Whoever asks for it again means what is there now.
    console.port.retry()
    guard console.port.snapshot.state != .opening, let status = status(of: name) else {
      consoles[name]?.opening.append((client.id, number))
      return
    }
    client.answer(number, ["console": status.value])
  }

  private func makePort(_ name: String, _ address: ConsoleAddress) throws(OwnerFailure) -> HeldPort
  {
    if let other = consoles.first(where: { $0.value.port.address.isSamePlace(as: address) }) {
      throw OwnerFailure(
        .conflict, "console '\(name)': \(address) is held as '\(other.key)' already")
    }
    guard consoles.count < OwnerServer.consoleLimit else {
      throw OwnerFailure(.busy, "the owner holds \(consoles.count) consoles, and takes no more")
    }
    let log = try ConsoleLog(directory: places.consoleDirectory(name), limits: options.limits)
    log.note(
      "owner",
      [
        "pid": .integer(Int64(getpid())),
        "boot": .text(SmallFile.text("/proc/sys/kernel/random/boot_id") ?? ""),
        "address": .text(address.description)
      ])
    let port = HeldPort(
      name: name, address: address, log: log, backoff: options.backoff,
      onChange: { [doorbell] in doorbell.ring() })
    try port.start()
    return port
  }

  private func close(
    _ name: String, force: Bool, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    guard let console = consoles[name] else { throw unknown(name) }
    let others = users(of: name).filter { $0.id != client.id }.map(\.title)
    if !force, let first = others.first {
      throw OwnerFailure(
        .inUse, "console '\(name)': \(first) is attached",
        evidence: others.dropFirst().joined(separator: ", "), hint: "end it first, or use --force")
    }
    if !force, console.keep {
      throw OwnerFailure(
        .inUse, "console '\(name)': is to be kept, closing it may cut a board's power",
        hint: "use --force")
    }
    consoles[name]?.isClosing = true
    consoles[name]?.closing.append((client.id, number))
    console.port.stop()
  }

  private func shutDown(
    force: Bool, _ number: UInt64, _ client: ServedClient
  ) throws(OwnerFailure) {
    var reasons: [String] = []
    for name in consoles.keys.sorted() {
      reasons += users(of: name).filter { $0.id != client.id }.map { "\($0.title) uses '\(name)'" }
      if consoles[name]?.keep == true { reasons.append("'\(name)' is to be kept") }
    }
    guard force || reasons.isEmpty else {
      throw OwnerFailure(
        .inUse, "the owner of ports is in use: " + reasons.joined(separator: ", "),
        hint: "end them first, or use --force")
    }
    client.answer(number, ["closed": .list(consoles.keys.sorted().map(Value.text))])
    isEnding = true
  }

  // MARK: Using

  private func read(
    _ read: ServedClient.PendingRead, _ client: ServedClient
  ) throws(OwnerFailure) {
    guard let console = consoles[read.name] else { throw unknown(read.name) }
    guard client.attached.contains(read.name) else {
      throw OwnerFailure(.malformed, "console '\(read.name)': a read without 'attach'")
    }
    let end = console.port.log.extent.end
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
    guard let console = consoles[name] else { throw unknown(name) }
    guard console.writer == client.id else {
      if let writer = console.writer { throw writerTaken(name, by: writer) }
      throw OwnerFailure(.writerTaken, "console '\(name)': writing needs 'take-writer' first")
    }
    nextOrder += 1
    try console.port.order(
      PortOrder(
        id: nextOrder, action: action, deadline: .after(seconds: Double(milliseconds) / 1000)))
    orders[nextOrder] = (client.id, number)
  }

  private func writerTaken(_ name: String, by id: Int) -> OwnerFailure {
    OwnerFailure(
      .writerTaken, "console '\(name)': \(clients[id]?.title ?? "another client") writes to it",
      hint: "take it over with --take-over")
  }
}

extension ConsoleAddress {
  /// Whether both lead to one port, whatever its settings; symbolic links are followed.
  func isSamePlace(as other: ConsoleAddress) -> Bool { place == other.place }

  private var place: String {
    switch self {
    case .serial(let path, _), .pty(let path), .socket(let path):
      "path " + (SmallFile.realPath(path) ?? path)
    case .tcp(let host, let port), .telnet(let host, let port): "port \(host) \(port)"
    }
  }
}
