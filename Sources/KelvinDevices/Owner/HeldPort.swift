internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A port that is held: a thread of its own opens it, logs what comes, sends what is ordered, and
/// opens it again when its far end went away.
///
/// Nothing that a reader does reaches the thread: readers read the log.
final class HeldPort: Sendable {
  /// What a port is held for.
  struct Purpose: Sendable {
    let name: String
    let address: PortAddress
    /// Nil: what it says is thrown away.
    var log: ConsoleLog?
    /// Whether it is lent to clients.
    var isLink = false

    var kind: Holding.Kind { isLink ? .link : log == nil ? .line : .console }
  }

  /// What can be seen of a port at a moment.
  struct Snapshot: Sendable {
    var state = PortState.opening
    /// Grows with each change of the state.
    var serial: UInt64 = 0
    var lines: ControlLines?
    /// Whether the thread is through with it.
    var isFinished = false
  }

  /// What the owner's and the port's thread share.
  struct Shared {
    var snapshot = Snapshot()
    var orders: [PortOrder] = []
    var orderedBytes = 0
    var outcomes: [PortOutcome] = []
    /// Somebody asked for another attempt, now.
    var isToRetry = false
    var purpose: Purpose
    /// The purpose is another one, and the thread does not know yet.
    var isToAdapt = false
  }

  /// How often a far end that is gone is tried: at first, and at last, in seconds.
  struct Backoff: Sendable {
    var first = 0.05
    var last = 5.0
  }

  /// More bytes than that never wait to be sent.
  static let orderLimit = 1 << 20

  let backoff: Backoff
  let shared: Mutex<Shared>
  /// Rung when there are orders or the end has come.
  let doorbell = Doorbell()
  let stopping = Interrupt()
  /// Called after any change, from the port's thread.
  let onChange: @Sendable () -> Void

  /// Prepares a port; ``start()`` opens it.
  init(
    _ purpose: Purpose, backoff: Backoff = Backoff(), onChange: @escaping @Sendable () -> Void
  ) {
    shared = Mutex(Shared(purpose: purpose))
    self.backoff = backoff
    self.onChange = onChange
  }

  /// Starts the thread, which keeps the port alive until ``stop()``.
  func start() throws(OwnerFailure) {
    do {
      _ = try NamedThread("port \(purpose.name)") { PortLoop(self).run() }
    } catch {
      throw OwnerFailure(.system, error.message)
    }
  }

  var snapshot: Snapshot { shared.withLock { $0.snapshot } }
  var purpose: Purpose { shared.withLock { $0.purpose } }
  /// What there is to read of it; of a line, nothing.
  var extent: ConsoleLog.Extent {
    purpose.log?.extent ?? ConsoleLog.Extent(first: 0, end: 0, lost: 0)
  }

  /// Holds it for something else from now on, without closing it: its lines stay as they are.
  func adopt(_ purpose: Purpose) {
    shared.withLock { shared in
      shared.purpose = purpose
      shared.isToAdapt = true
    }
    doorbell.ring()
  }

  /// Has something done; refuses when too much waits already.
  func order(_ order: PortOrder) throws(OwnerFailure) {
    let isTaken = shared.withLock { shared in
      guard !shared.snapshot.isFinished,
        shared.orderedBytes + order.byteCount <= HeldPort.orderLimit, shared.orders.count < 1024
      else { return false }
      shared.orders.append(order)
      shared.orderedBytes += order.byteCount
      return true
    }
    guard isTaken else {
      throw OwnerFailure(
        .busy, "console '\(purpose.name)': too much waits to be sent", hint: "wait for the answers")
    }
    doorbell.ring()
  }

  /// What has ended since the last call.
  func takeOutcomes() -> [PortOutcome] {
    shared.withLock { shared in
      defer { shared.outcomes = [] }
      return shared.outcomes
    }
  }

  /// Tries a far end that is gone at once, also one that is not tried by itself.
  func retry() {
    shared.withLock { shared in
      guard let next = shared.snapshot.state.next(on: .asked) else { return }
      shared.isToRetry = true
      shared.snapshot.state = next
      shared.snapshot.serial += 1
    }
    doorbell.ring()
  }

  /// Ends the thread; ``Snapshot/isFinished`` tells when it is through.
  func stop() {
    stopping.raise()
    doorbell.ring()
  }

  // MARK: For the port's thread

  var isToRetry: Bool { shared.withLock { $0.isToRetry } }

  func takeRetry() -> Bool {
    shared.withLock { shared in
      defer { shared.isToRetry = false }
      return shared.isToRetry
    }
  }

  /// The purpose when it is another one than at the last call.
  func takePurpose() -> Purpose? {
    shared.withLock { shared in
      defer { shared.isToAdapt = false }
      return shared.isToAdapt ? shared.purpose : nil
    }
  }

  func change(on event: PortState.Event, lines: ControlLines? = nil) {
    let isChange = shared.withLock { shared in
      guard let next = shared.snapshot.state.next(on: event) else { return false }
      let isNew = next != shared.snapshot.state
      shared.snapshot.state = next
      shared.snapshot.lines = lines
      if isNew { shared.snapshot.serial += 1 }
      return isNew
    }
    let purpose = purpose
    if isChange, let log = purpose.log {
      switch snapshot.state {
      case .open: log.note("open", ["address": .text(purpose.address.description)])
      case .lost(let reason): log.note("lost", ["reason": .text(reason)])
      case .closed: log.note("closed")
      case .opening: break
      }
    }
    onChange()
  }

  func finish(_ outcome: PortOutcome, of order: PortOrder) {
    shared.withLock { shared in
      shared.orderedBytes -= order.byteCount
      shared.outcomes.append(outcome)
    }
    onChange()
  }
}
