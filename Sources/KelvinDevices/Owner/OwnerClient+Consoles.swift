package import KelvinModel

// What a client does with consoles.

/// Where a reader is in a console, so that it misses nothing when it attaches again.
package struct ConsoleAttachment: Sendable, Hashable {
  package let name: String
  /// The next byte to be read.
  package var position: UInt64
  /// The state that the reader knows of.
  package internal(set) var state: PortState
  var serial: UInt64
  var lost: UInt64
}

/// What a console said, or what happened to it.
package struct ConsoleNews: Sendable, Hashable {
  /// May be empty, when only the state changed.
  package var bytes: [UInt8]
  /// Bytes between the reader's position and the first of these that are no longer kept.
  package var skipped: UInt64
  /// Bytes that came since the last news and could not be logged.
  package var lost: UInt64
  /// The state now, when it is another one.
  package var newState: PortState?
}

/// Where in a console's log a reader begins.
package enum ConsolePosition: Sendable, Hashable {
  /// The oldest byte that is kept.
  case first
  /// Only what comes from now on.
  case end
  /// So many bytes before the end, as far as they are kept.
  case last(UInt64)
  /// Where an earlier reader left off.
  case position(UInt64)
}

extension Owner.Client {
  /// Has a console held; one that is held already under this name and address is taken as it is.
  /// Returns when the first attempt to open it is over, also when that failed: it is tried again.
  ///
  /// - Parameter keep: idleness never closes it, because closing it would change something.
  /// - Throws: `conflict` when the name or the address is held otherwise.
  package func open(
    _ name: String, at address: ConsoleAddress, keep: Bool = false, until deadline: Deadline
  ) throws(OwnerFailure) -> Holding {
    let answer = try call(
      .open(name: name, address: address.description, keep: keep), until: deadline)
    return try Holding(answer.header["holding"] ?? .null)
  }

  /// Has a board's console held, as its bench file says.
  ///
  /// - Parameters:
  ///   - baud: the rate when the file names none, from the board's profile.
  ///   - resolve: gives the device node of a match, now.
  package func open(
    console name: String, _ choice: DriverChoice, baud: UInt32? = nil, keep: Bool = false,
    resolve: (DeviceMatch) throws -> String = ConsoleAddress.node(of:), until deadline: Deadline
  ) throws -> Holding {
    let address = try ConsoleAddress(choice, baud: baud, resolve: resolve)
    return try open(name, at: address, keep: keep, until: deadline)
  }

  /// All that is held, sorted by name.
  package func list(until deadline: Deadline) throws(OwnerFailure) -> [Holding] {
    let answer = try call(.list, until: deadline)
    var holdings: [Holding] = []
    for value in answer.header["holdings"]?.list ?? [] {
      holdings.append(try Holding(value))
    }
    return holdings
  }

  /// Begins to read a console.
  package func attach(
    _ name: String, from position: ConsolePosition = .end, until deadline: Deadline
  ) throws(OwnerFailure) -> ConsoleAttachment {
    let answer = try call(.attach(name: name), until: deadline)
    let status = try Holding(answer.header["holding"] ?? .null)
    let start =
      switch position {
      case .first: status.first
      case .end: status.end
      case .last(let count): max(status.first, status.end - min(status.end, count))
      case .position(let position): position
      }
    return ConsoleAttachment(
      name: name, position: start, state: status.state, serial: status.serial, lost: status.lost)
  }

  /// Ends the use of a console; it is held on.
  package func detach(_ name: String, until deadline: Deadline) throws(OwnerFailure) {
    _ = try call(.detach(name: name), until: deadline)
  }

  /// Waits for bytes or for a change of the state.
  ///
  /// - Returns: nil when the deadline passed.
  /// - Throws: `interrupted`; `invalid` when the log was begun anew behind the reader's back.
  package func news(
    of attachment: inout ConsoleAttachment, until deadline: Deadline
  ) throws(OwnerFailure) -> ConsoleNews? {
    while true {
      let id = try requestNews(of: attachment, until: deadline)
      // The owner says when the time is over; only one that hangs is given up.
      let limit = Deadline.after(
        seconds: Double(Owner.Client.milliseconds(deadline)) / 1000 + Owner.Client.slack,
        interrupt: deadline.interrupt)
      if let news = try news(of: &attachment, answer: answer(to: id, until: limit)) { return news }
      if deadline.hasPassed { return nil }
    }
  }

  /// Asks for news without waiting for them: ``descriptor`` gets readable.
  func requestNews(
    of attachment: ConsoleAttachment, until deadline: Deadline
  ) throws(OwnerFailure) -> UInt64 {
    try send(
      .read(
        name: attachment.name, position: attachment.position, limit: OwnerRequest.readLimit,
        serial: attachment.serial, milliseconds: Owner.Client.milliseconds(deadline)),
      until: deadline.limited(toSeconds: Owner.Client.slack))
  }

  func news(
    of attachment: inout ConsoleAttachment, answer: OwnerFrame
  ) throws(OwnerFailure) -> ConsoleNews? {
    let keys = FrameKeys(header: answer.header)
    let position = UInt64(try keys.integer("position", 0...Int.max))
    let lost = UInt64(try keys.integer("lost", 0...Int.max))
    let serial = UInt64(try keys.integer("serial", 0...Int.max))
    guard position >= attachment.position,
      let state = PortState(name: try keys.text("state"), reason: keys.header["reason"]?.text)
    else { throw OwnerFailure(.malformed, "console '\(attachment.name)': an impossible answer") }
    var news = ConsoleNews(
      bytes: answer.body, skipped: position - attachment.position,
      lost: lost > attachment.lost ? lost - attachment.lost : 0, newState: nil)
    if serial != attachment.serial { news.newState = state }
    attachment.position = position + UInt64(answer.body.count)
    attachment.serial = serial
    attachment.state = state
    attachment.lost = lost
    let isNothing =
      news.bytes.isEmpty && news.skipped == 0 && news.lost == 0 && news.newState == nil
    return isNothing ? nil : news
  }

  /// Becomes the one who may write.
  ///
  /// - Parameter force: takes that from another client.
  /// - Throws: `writerTaken`, naming who writes.
  package func takeWriter(
    _ name: String, force: Bool = false, until deadline: Deadline
  ) throws(OwnerFailure) {
    _ = try call(.takeWriter(name: name, force: force), until: deadline)
  }

  /// Lets others write.
  package func releaseWriter(_ name: String, until deadline: Deadline) throws(OwnerFailure) {
    _ = try call(.releaseWriter(name: name), until: deadline)
  }

  /// Sends bytes; returns when the system has taken all of them.
  ///
  /// - Throws: `lost`, `timeout`, `writerTaken`; the evidence tells how many bytes went.
  package func write(
    _ bytes: [UInt8], to name: String, until deadline: Deadline
  ) throws(OwnerFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = Array(rest.prefix(OwnerRequest.readLimit))
      try perform(
        .write(name: name, bytes: piece, milliseconds: Owner.Client.milliseconds(deadline)),
        until: deadline)
      rest = rest.dropFirst(piece.count)
    }
  }

  /// Sets modem lines; those that are nil stay as they are.
  package func set(
    _ lines: ControlLines, of name: String, until deadline: Deadline
  ) throws(OwnerFailure) {
    try perform(.setLines(name: name, lines: lines), until: deadline)
  }

  /// Holds the line at break; over telnet the other side chooses for how long.
  package func sendBreak(
    to name: String, milliseconds: Int = 250, until deadline: Deadline
  ) throws(OwnerFailure) {
    try perform(.sendBreak(name: name, milliseconds: milliseconds), until: deadline)
  }

  /// Ends the holding of a console.
  ///
  /// - Throws: `inUse` when others are attached or it is to be kept, unless forced.
  package func close(
    _ name: String, force: Bool = false, until deadline: Deadline
  ) throws(OwnerFailure) {
    _ = try call(.close(name: name, force: force), until: deadline)
  }

  /// Ends the owner, and waits until it is gone.
  ///
  /// - Returns: the names of what was closed.
  /// - Throws: `inUse`, naming who uses what, unless forced.
  package func shutDown(
    force: Bool = false, until deadline: Deadline
  ) throws(OwnerFailure) -> [String] {
    let answer = try call(.shutdown(force: force), until: deadline)
    try waitForEnd(until: deadline)
    return answer.header["closed"]?.list?.compactMap(\.text) ?? []
  }

  /// The port itself ends this when the time is over, and tells how far it came.
  @discardableResult
  func perform(_ request: OwnerRequest, until deadline: Deadline) throws(OwnerFailure) -> OwnerFrame
  {
    let limit = Deadline.after(
      seconds: Double(Owner.Client.milliseconds(deadline)) / 1000 + Owner.Client.slack,
      interrupt: deadline.interrupt)
    return try call(request, until: limit)
  }

  static func milliseconds(_ deadline: Deadline) -> Int {
    guard let nanoseconds = deadline.remainingNanoseconds else { return OwnerRequest.longestWait }
    return Int(min((nanoseconds + 999_999) / 1_000_000, Int64(OwnerRequest.longestWait)))
  }
}
