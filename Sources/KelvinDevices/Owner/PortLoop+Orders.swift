internal import CLinux
internal import KelvinModel
internal import Synchronization

// What a port's thread does with its orders.

extension PortLoop {
  /// The wire took all of a piece.
  func finishPiece() {
    guard piece > 0 else { return }
    taken += piece
    piece = 0
    if let order = orders.first, taken == order.byteCount { succeed() }
  }

  func begin(_ order: PortOrder, _ link: PortLink) throws(KelvinModel.Errno) {
    switch order.action {
    case .write(let bytes):
      let next = bytes[taken...].prefix(PortLoop.pieceSize)
      guard !next.isEmpty else { return succeed() }
      piece = next.count
      wire = link.telnet?.encode(next)[...] ?? next
    case .set(let lines):
      guard try link.set(lines) else { return fail(unsupported("such lines")) }
      if link.answersLines, lines != ControlLines() {
        answerEnd = order.deadline.limited(toSeconds: PortLoop.answerTime)
      } else {
        finish(lines, link)
      }
    case .lend:
      let descriptor = kelvin_duplicate(link.descriptor)
      guard descriptor >= 0 else { throw .current }
      isLent = true
      succeed(descriptor)
    case .takeBack:
      isLent = false
      succeed()
    case .sendBreak(let milliseconds):
      if link.telnet != nil, link.telnet?.comPort == nil {
        wire = TelnetCodec.breakSequence[...]
        succeed()
      } else if link.setBreak(true) {
        breakEnd = .after(seconds: Double(milliseconds) / 1000)
      } else {
        fail(unsupported("break"))
      }
    }
  }

  /// Lines are set, as far as is known.
  func finish(_ lines: ControlLines, _ link: PortLink) {
    wantedLines = lines.over(wantedLines)
    port.shared.withLock { $0.snapshot.lines = link.lines }
    if lines != ControlLines() { note(lines, "asked") }
    succeed()
  }

  /// Looks whether the server has answered that it set the lines.
  func takeAnswer(_ link: PortLink, _ end: Deadline) {
    guard case .set(let lines)? = orders.first?.action else { return answerEnd = nil }
    let answer = lines.agree(with: link.lines ?? ControlLines())
    guard answer != nil || end.hasPassed else { return }
    answerEnd = nil
    guard answer != true else { return finish(lines, link) }
    fail(
      OwnerFailure(
        .unsupported,
        "'\(purpose.name)': the server at \(purpose.address) did not set: \(lines)",
        evidence: answer == nil ? "it gave no answer" : "it answered \(link.lines ?? lines)",
        hint: "its port may have no such line"))
  }

  func unsupported(_ what: String) -> OwnerFailure {
    OwnerFailure(.unsupported, "'\(purpose.name)': \(purpose.address) has no \(what)")
  }

  func endBreak(_ link: PortLink) {
    _ = link.setBreak(false)
    breakEnd = nil
  }

  /// Gives up an order whose time is over while the far end takes nothing.
  func expire(_ link: PortLink) {
    while let order = orders.first, order.deadline.hasPassed {
      if link.telnet == nil {
        taken += max(0, piece - wire.count)
        wire = []
      } else if piece > 0 {
        // Half an escaped piece would make nonsense of what follows: its rest is still to go.
        taken += piece
      }
      piece = 0
      fail(
        OwnerFailure(
          .timeout, "'\(purpose.name)': the far end takes nothing",
          evidence: "\(taken) of \(order.byteCount) bytes went"))
    }
  }

  func succeed(_ descriptor: Int32? = nil) {
    guard !orders.isEmpty else { return }
    let order = orders.removeFirst()
    port.finish(
      PortOutcome(id: order.id, written: order.byteCount, descriptor: descriptor), of: order)
    taken = 0
  }

  func fail(_ failure: OwnerFailure) {
    guard !orders.isEmpty else { return }
    let order = orders.removeFirst()
    port.finish(PortOutcome(id: order.id, written: taken, failure: failure), of: order)
    taken = 0
  }

  /// Says in a console's log what became of lines.
  func note(_ lines: ControlLines, _ why: String, _ more: [String: Value] = [:]) {
    var values = more
    values["why"] = .text(why)
    values["set"] = .text(lines.description)
    purpose.log?.note("lines", values)
  }
}
