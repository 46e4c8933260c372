internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What a held port's thread does.
///
/// All fields belong to that thread.
final class PortLoop {
  let port: HeldPort
  /// As the port's thread knows it.
  var purpose: HeldPort.Purpose
  /// Orders that were taken and not yet done, the first one perhaps in part.
  var orders: [PortOrder] = []
  /// Bytes of the first order that were turned into ``wire``.
  var taken = 0
  /// What is being sent.
  var wire: ArraySlice<UInt8> = []
  /// How many bytes of the first order ``wire`` began with; 0: it is negotiation.
  var piece = 0
  var breakEnd: Deadline?
  /// When the far end must have answered that it set the lines of the first order.
  var answerEnd: Deadline?
  /// In a stream, the next read waits so that bytes come in batches.
  private var pauseEnd: Deadline?
  private var lastRead = MonotonicTime(nanoseconds: 0)
  private var lastLog = MonotonicTime(nanoseconds: 0)
  private var lastTold = MonotonicTime(nanoseconds: 0)
  /// Whether the log has bytes that nobody was told of.
  private var isUntold = false
  /// Somebody else reads and writes.
  var isLent = false
  /// What clients set, for when the line comes back.
  var wantedLines = ControlLines()

  /// What hung up, and is not to be mistaken for what has its number now.
  private var deadTerminal: PseudoTerminal?

  /// Data go to the wire in pieces, so that it is known how far they came.
  static let pieceSize = 4096
  private static let bufferSize = 65_536
  private static let bulkSize = 1024
  /// Pseudo terminals hold no more than 12 KiB, which is what comes in 12 ms at 1 MB/s.
  private static let pause = 0.002
  /// Seconds for an answer about lines; some servers never give one.
  static let answerTime = 2.0
  /// Bytes that follow others within so many nanoseconds are a stream.
  private static let streaming: Int64 = 3_000_000
  /// Nanoseconds for which a stream's bytes are kept, so that the log has fewer and larger chunks.
  private static let holding: Int64 = 3_500_000
  /// Nanoseconds between two wake-ups of whoever reads a stream: each is two of the owner and one of
  /// the reader. Its end is told at once.
  private static let telling: Int64 = 11_500_000

  init(_ port: HeldPort) {
    self.port = port
    purpose = port.purpose
  }

  func run() {
    let isStopping = Deadline(time: nil, interrupt: port.stopping)
    var pause = port.backoff.first
    while !port.stopping.isRaised {
      do throws(OwnerFailure) {
        let begin = MonotonicTime.now
        // Nobody hears that it is lost before it is closed here, too.
        if let reason = try openAndServe(until: isStopping.limited(toSeconds: 5)) {
          port.change(on: .failed(reason))
        }
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
    // The log's lock goes with its last reference, and whoever sees the end may want it at once.
    purpose.log = nil
    port.shared.withLock { shared in
      shared.purpose.log = nil
      shared.snapshot.isFinished = true
    }
    port.onChange()
  }

  /// - Returns: why the link ended, which is closed by then; nil: it is not wanted any more.
  private func openAndServe(until deadline: Deadline) throws(OwnerFailure) -> String? {
    purpose = port.takePurpose() ?? purpose
    let link = try PortLink.open(purpose.address, except: deadTerminal, until: deadline)
    deadTerminal = link.pseudoTerminal
    restoreLines(of: link)
    port.change(on: .opened, lines: link.lines)
    return serve(link)
  }

  /// What clients chose is set again on what came back.
  private func restoreLines(of link: PortLink) {
    guard wantedLines != ControlLines() else { return }
    let isDone = (try? link.set(wantedLines)) ?? false
    note(wantedLines, "again", isDone ? [:] : ["failed": true])
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
          .lost, "'\(purpose.name)': \(port.snapshot.state)",
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
      if breakEnd != nil {
        endBreak(link)
        // A server that is left in the middle may hold it on.
        if wire.isEmpty, let last = link.telnet?.takeReplies() { _ = try? link.write(last[...]) }
      }
      pauseEnd = nil
      answerEnd = nil
      isLent = false
    }
    var data = link.backlog
    link.backlog = []
    log(&data)
    tell()
    defer {
      log(&data)
      tell()
    }
    while !port.stopping.isRaised {
      if let problem = send(link) { return problem }
      wait(link)
      if let end = pauseEnd {
        guard end.hasPassed else { continue }
        pauseEnd = nil
      }
      if isLent {
        log(&data)
        tell()
        guard link.isHungUp else { continue }
        return "the line hung up"
      }
      let held = data.count
      let result = link.read(buffer, into: &data)
      let now = MonotonicTime.now
      var isStream = false
      if data.count > held {
        // Waking costs more than reading: what goes on is taken in batches, what begins at once.
        isStream = data.count - held >= PortLoop.bulkSize || now - lastRead < PortLoop.streaming
        if isStream { pauseEnd = .after(seconds: PortLoop.pause) }
        lastRead = now
      }
      // What is held is looked after at the pause's end, and goes when nothing more has come by then.
      if !isStream || now - lastLog >= PortLoop.holding || data.count >= PortLoop.bufferSize {
        if !data.isEmpty { lastLog = now }
        log(&data)
      }
      if isUntold, !isStream || now - lastTold >= PortLoop.telling {
        lastTold = now
        tell()
      }
      if link.answersLines { port.shared.withLock { $0.snapshot.lines = link.lines } }
      if case .gone(let reason) = result { return reason }
    }
    return nil
  }

  /// Appends bytes to the log, and empties them.
  private func log(_ data: inout [UInt8]) {
    guard !data.isEmpty else { return }
    if let log = purpose.log {
      data.withUnsafeBytes { log.append($0) }
      isUntold = true
    }
    data.removeAll(keepingCapacity: true)
  }

  /// Tells that there is more to read.
  private func tell() {
    guard isUntold else { return }
    isUntold = false
    port.onChange()
  }

  /// Waits until something can be read, sent, or is due.
  private func wait(_ link: PortLink) {
    var events: Int16 = pauseEnd == nil && !isLent ? Int16(POLLIN) : 0
    if !wire.isEmpty { events |= Int16(POLLOUT) }
    // A hang-up is reported whatever is asked for, and would end the pause.
    var polled = [
      pollfd(fd: events == 0 && !isLent ? -1 : link.descriptor, events: events, revents: 0),
      pollfd(fd: port.doorbell.descriptor, events: Int16(POLLIN), revents: 0)
    ]
    // What waits behind a break is not due before its end.
    let due = [breakEnd ?? answerEnd ?? orders.first?.deadline, pauseEnd].compactMap { $0?.time }
      .min()
    poll(&polled, 2, Deadline(time: due).pollMilliseconds)
  }

  /// Does what can be done of the orders without waiting.
  ///
  /// - Returns: why the link ended.
  private func send(_ link: PortLink) -> String? {
    takeOrders()
    if let adopted = port.takePurpose() {
      purpose = adopted
      do { try link.adapt(to: adopted.address) } catch { return "\(error)" }
      purpose.log?.note("open", ["address": .text(adopted.address.description)])
    }
    if let end = breakEnd, end.hasPassed {
      endBreak(link)
      succeed()
    }
    if let end = answerEnd { takeAnswer(link, end) }
    while true {
      if wire.isEmpty { finishPiece() }
      if wire.isEmpty, let replies = link.telnet?.takeReplies(), !replies.isEmpty {
        wire = replies[...]
      }
      if wire.isEmpty {
        guard breakEnd == nil, answerEnd == nil, let order = orders.first else { return nil }
        if link.isSuspended {
          expire(link)
          return nil
        }
        do { try begin(order, link) } catch { return "\(error)" }
        continue
      }
      do {
        let count = try link.write(wire)
        wire = wire.dropFirst(count)
        if count == 0 {
          if breakEnd == nil, answerEnd == nil { expire(link) }
          return nil
        }
      } catch {
        return "\(error)"
      }
    }
  }
}
