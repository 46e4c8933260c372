internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What a held port's thread does.
///
/// All fields belong to that thread.
final class PortLoop {
  private let port: HeldPort
  /// Orders that were taken and not yet done, the first one perhaps in part.
  private var orders: [PortOrder] = []
  /// Bytes of the first order that were turned into ``wire``.
  private var taken = 0
  /// What is being sent.
  private var wire: ArraySlice<UInt8> = []
  /// How many bytes of the first order ``wire`` began with; 0: it is negotiation.
  private var piece = 0
  private var breakEnd: Deadline?
  /// In a stream, the next read waits so that bytes come in batches.
  private var pauseEnd: Deadline?
  private var lastRead = MonotonicTime(nanoseconds: 0)
  /// What clients set, for when the line comes back.
  private var wantedLines = ControlLines()

  /// What hung up, and is not to be mistaken for what has its number now.
  private var deadTerminal: PseudoTerminal?

  /// Data go to the wire in pieces, so that it is known how far they came.
  private static let pieceSize = 4096
  private static let bufferSize = 65_536
  private static let bulkSize = 1024
  private static let pause = 0.002
  /// Bytes that follow others within so many nanoseconds are a stream.
  private static let streaming: Int64 = 3_000_000

  init(_ port: HeldPort) { self.port = port }

  func run() {
    let isStopping = Deadline(time: nil, interrupt: port.stopping)
    var pause = port.backoff.first
    while !port.stopping.isRaised {
      do throws(OwnerFailure) {
        let link = try PortLink.open(
          port.address, except: deadTerminal, until: isStopping.limited(toSeconds: 5))
        deadTerminal = link.pseudoTerminal
        _ = link.set(wantedLines)
        port.change(on: .opened, lines: link.lines)
        let begin = MonotonicTime.now
        if let reason = serve(link) { port.change(on: .failed(reason)) }
        // One that ends at once is no better than one that is not there.
        if MonotonicTime.now - begin > 1_000_000_000 { pause = port.backoff.first }
      } catch {
        port.change(on: .failed(error.description))
      }
      refuseOrders()
      waitBeforeRetry(isStopping.limited(toSeconds: pause))
      pause = min(port.backoff.last, pause * 2)
      if port.takeRetry() {
        deadTerminal = nil
        pause = port.backoff.first
      }
    }
    port.change(on: .closed)
    refuseOrders()
    port.shared.withLock { $0.snapshot.isFinished = true }
    port.onChange()
  }

  /// Orders are answered meanwhile, not kept.
  private func waitBeforeRetry(_ deadline: Deadline) {
    while !port.isToRetry, deadline.wait(for: port.doorbell.descriptor) == .ready {
      refuseOrders()
    }
  }

  private func refuseOrders() {
    takeOrders()
    taken += max(0, piece - wire.count)
    wire = []
    piece = 0
    while !orders.isEmpty {
      fail(
        OwnerFailure(
          .lost, "console '\(port.name)': \(port.snapshot.state)",
          hint: "it is tried again by itself"))
    }
  }

  private func takeOrders() {
    port.doorbell.silence()
    port.shared.withLock { shared in
      orders += shared.orders
      shared.orders = []
    }
  }

  // MARK: A link that is there

  /// - Returns: why the link ended; nil: it is not wanted any more.
  private func serve(_ link: PortLink) -> String? {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: PortLoop.bufferSize, alignment: 16)
    defer {
      buffer.deallocate()
      if breakEnd != nil { endBreak(link) }
      pauseEnd = nil
    }
    var data: [UInt8] = []
    while !port.stopping.isRaised {
      if let problem = send(link) { return problem }
      wait(link)
      if let end = pauseEnd {
        guard end.hasPassed else { continue }
        pauseEnd = nil
      }
      data.removeAll(keepingCapacity: true)
      let result = link.read(buffer, into: &data)
      if !data.isEmpty {
        data.withUnsafeBytes { port.log.append($0) }
        port.onChange()
        // Waking costs more than reading: what goes on is taken in batches, what begins at once.
        let now = MonotonicTime.now
        if data.count >= PortLoop.bulkSize || now - lastRead < PortLoop.streaming {
          pauseEnd = .after(seconds: PortLoop.pause)
        }
        lastRead = now
      }
      if case .gone(let reason) = result { return reason }
    }
    return nil
  }

  /// Waits until something can be read, sent, or is due.
  private func wait(_ link: PortLink) {
    var events: Int16 = pauseEnd == nil ? Int16(POLLIN) : 0
    if !wire.isEmpty, breakEnd == nil { events |= Int16(POLLOUT) }
    // A hang-up is reported whatever is asked for, and would end the pause.
    var polled = [
      pollfd(fd: events == 0 ? -1 : link.descriptor, events: events, revents: 0),
      pollfd(fd: port.doorbell.descriptor, events: Int16(POLLIN), revents: 0)
    ]
    // What waits behind a break is not due before its end.
    let due = [breakEnd ?? orders.first?.deadline, pauseEnd].compactMap { $0?.time }.min()
    poll(&polled, 2, Deadline(time: due).pollMilliseconds)
  }

  /// Does what can be done of the orders without waiting.
  ///
  /// - Returns: why the link ended.
  private func send(_ link: PortLink) -> String? {
    takeOrders()
    if let end = breakEnd {
      guard end.hasPassed else { return nil }
      endBreak(link)
      succeed()
    }
    while true {
      if wire.isEmpty { finishPiece() }
      if wire.isEmpty, let replies = link.telnet?.takeReplies(), !replies.isEmpty {
        wire = replies[...]
      }
      if wire.isEmpty {
        guard let order = orders.first else { return nil }
        begin(order, link)
        if breakEnd != nil { return nil }
        if wire.isEmpty { continue }
      }
      do {
        let count = try link.write(wire)
        wire = wire.dropFirst(count)
        if count == 0 {
          expire(link)
          return nil
        }
      } catch {
        return "\(error)"
      }
    }
  }

  /// The wire took all of a piece.
  private func finishPiece() {
    guard piece > 0 else { return }
    taken += piece
    piece = 0
    if let order = orders.first, taken == order.byteCount { succeed() }
  }

  private func begin(_ order: PortOrder, _ link: PortLink) {
    switch order.action {
    case .write(let bytes):
      let next = bytes[taken...].prefix(PortLoop.pieceSize)
      guard !next.isEmpty else { return succeed() }
      piece = next.count
      wire = link.telnet?.encode(next)[...] ?? next
    case .set(let lines):
      if link.set(lines) {
        wantedLines.dtr = lines.dtr ?? wantedLines.dtr
        wantedLines.rts = lines.rts ?? wantedLines.rts
        port.shared.withLock { $0.snapshot.lines = link.lines }
        succeed()
      } else {
        fail(unsupported("DTR and RTS"))
      }
    case .sendBreak(let milliseconds):
      if link.telnet != nil {
        wire = TelnetCodec.breakSequence[...]
        succeed()
      } else if link.isTerminal, kelvin_tty_break(link.descriptor, 1) == 0 {
        breakEnd = .after(seconds: Double(milliseconds) / 1000)
      } else {
        fail(unsupported("break"))
      }
    }
  }

  private func unsupported(_ what: String) -> OwnerFailure {
    OwnerFailure(.unsupported, "console '\(port.name)': \(port.address) has no \(what)")
  }

  private func endBreak(_ link: PortLink) {
    _ = kelvin_tty_break(link.descriptor, 0)
    breakEnd = nil
  }

  /// Gives up an order whose time is over while the far end takes nothing.
  private func expire(_ link: PortLink) {
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
          .timeout, "console '\(port.name)': the far end takes nothing",
          evidence: "\(taken) of \(order.byteCount) bytes went"))
    }
  }

  private func succeed() {
    guard !orders.isEmpty else { return }
    let order = orders.removeFirst()
    port.finish(PortOutcome(id: order.id, written: order.byteCount), of: order)
    taken = 0
  }

  private func fail(_ failure: OwnerFailure) {
    guard !orders.isEmpty else { return }
    let order = orders.removeFirst()
    port.finish(PortOutcome(id: order.id, written: taken, failure: failure), of: order)
    taken = 0
  }
}
