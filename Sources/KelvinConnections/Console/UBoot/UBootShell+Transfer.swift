internal import KelvinModel
internal import KelvinSystem

/// YMODEM over the console: `loady` on the board, a sender on the host, and what goes between them.
extension UBootShell {
  /// What the receiver says to stop (Forsberg): more than one, as one may be a damaged byte; U-Boot
  /// wants three (xyzModem_CAN_COUNT).
  private static let cancel = [UInt8](repeating: 24, count: 5)
  private static let (acknowledge, request): (UInt8, UInt8) = (6, UInt8(ascii: "C"))

  /// Seconds without a new block after which the transfer is given up. U-Boot asks again every five at
  /// most, and the sender repeats ten times.
  private static let stall = 40.0

  /// Waits until `loady` asks for the file.
  ///
  /// - Returns: false when it does not: it is not there, or has not begun.
  func awaitReceiver(_ line: UBootLine, until deadline: Deadline) throws(ConnectionFailure) -> Bool
  {
    func isAsked() -> Bool {
      let last = heard.suffix(while: { $0 != 10 })
      return !last.isEmpty && last.allSatisfy { $0 == UBootShell.request }
    }
    let promptLine = [10] + prompt
    // Whatever a line may damage of what it says: it asks again after five seconds.
    try gather(quiet: 6, limit: 12, until: deadline) {
      isAsked() || line.end(in: self.heard) != nil
        || self.heard.suffix(promptLine.count).elementsEqual(promptLine)
    }
    return isAsked()
  }

  /// Has the sender and the board talk to each other until the sender has ended.
  ///
  /// - Throws: `timedOut`, `interrupted`, `connectionLost`; `refused` when the sender gives up.
  func relay(
    _ sender: YModemSender, _ file: UBootFile, until deadline: Deadline,
    _ tell: (_ sent: Int64) -> Void
  ) throws(ConnectionFailure) {
    // It has asked already.
    sender.take([UBootShell.request])
    var lastBlock = 0
    var lastProgress = MonotonicTime.now
    var isAcknowledged = false
    while true {
      if deadline.isInterrupted || deadline.hasPassed { throw stopped(file, sender, deadline) }
      // Either speaks when it has been spoken to, except after the pauses that it thinks too long.
      switch sender.output(until: .after(seconds: 0.05)) {
      case .end: return try conclude(sender, file)
      case .bytes(let bytes):
        try send(bytes, until: deadline)
        tell(min(sender.meter.sent, file.size))
      case .nothing: break
      }
      let count = heard.count
      let isHeader = sender.meter.blocks == 1
      let wait = isHeader && isAcknowledged ? 0.3 : 0.5
      if try hear(until: deadline.limited(toSeconds: wait)) {
        sender.take(heard[count...])
        isAcknowledged = heard.last == UBootShell.acknowledge
      } else if isHeader, isAcknowledged {
        // The protocol has the receiver ask for the file when it has its header. U-Boot does so only
        // after seconds of silence.
        sender.take([UBootShell.request])
        isAcknowledged = false
      }
      if watch.hasRestarted { throw lost("it has restarted while it took \(file.path)") }
      if sender.meter.blocks != lastBlock {
        (lastBlock, lastProgress) = (sender.meter.blocks, .now)
      }
      guard MonotonicTime.now - lastProgress < Int64(UBootShell.stall * 1e9) else {
        throw ConnectionFailure(
          .timedOut,
          "\(link.name): \(file.path): the board has taken nothing for \(Int(UBootShell.stall)) s; "
            + "about \(min(sender.meter.sent, file.size)) of \(file.size) bytes had gone",
          evidence: lastWords, hint: "'kelvin bench console' shows what the board says")
      }
    }
  }

  private func conclude(_ sender: YModemSender, _ file: UBootFile) throws(ConnectionFailure) {
    let (isDone, words) = sender.finish()
    guard !isDone else { return }
    throw ConnectionFailure(
      .refused(words),
      "\(link.name): \(file.path): the sender gave up at about \(min(sender.meter.sent, file.size)) "
        + "of \(file.size) bytes, with \(sender.meter.repeats) blocks sent again",
      evidence: words.isEmpty ? lastWords : words,
      hint: "the line loses too much: check the cable and the baud rate")
  }

  private func stopped(
    _ file: UBootFile, _ sender: YModemSender, _ deadline: Deadline
  ) -> ConnectionFailure {
    let place = "about \(min(sender.meter.sent, file.size)) of \(file.size) bytes had gone"
    return deadline.isInterrupted
      ? ConnectionFailure(.interrupted, "\(link.name): \(file.path): stopped; \(place)")
      : ConnectionFailure(
        .timedOut, "\(link.name): \(file.path): it took too long; \(place)",
        hint: "give it more time: '--timeout'")
  }

  /// Brings `loady` to its end, whatever it waits for.
  ///
  /// What comes in the middle of a block is taken for the block's, and for four seconds after a silence
  /// it throws away what comes (xyzModem_flush()). It listens when it has asked.
  func cancelReceiver(_ line: UBootLine) throws(ConnectionFailure) {
    let grace = Deadline.after(seconds: 100)
    let promptLine = [10] + prompt
    func isOver() -> Bool {
      line.end(in: heard) != nil || heard.suffix(promptLine.count).elementsEqual(promptLine)
    }
    while !grace.hasPassed, !hasLeft, !isOver() {
      try send(UBootShell.cancel, until: grace)
      let count = heard.count
      try gather(quiet: 1.5, limit: 3, until: grace) {
        isOver() || self.heard.count > count && self.heard.last == UBootShell.request
      }
    }
  }
}

extension Array where Element == UInt8 {
  /// The longest end whose bytes are all so.
  fileprivate func suffix(while isSo: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    let start = lastIndex { !isSo($0) }.map { $0 + 1 } ?? 0
    return self[start...]
  }
}
