internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A port that is held: a thread of its own opens it, logs what comes, sends what is ordered, and
/// opens it again when its far end went away.
///
/// Nothing that a reader does reaches the thread: readers read the log.
final class HeldPort: Sendable {
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
  }

  /// How often a far end that is gone is tried: at first, and at last, in seconds.
  struct Backoff: Sendable {
    var first = 0.05
    var last = 5.0
  }

  /// More bytes than that never wait to be sent.
  static let orderLimit = 1 << 20

  let name: String
  let address: ConsoleAddress
  let log: ConsoleLog
  let backoff: Backoff
  let shared = Mutex(Shared())
  /// Rung when there are orders or the end has come.
  let doorbell = Doorbell()
  let stopping = Interrupt()
  /// Called after any change, from the port's thread.
  let onChange: @Sendable () -> Void

  /// Prepares a port; ``start()`` opens it.
  init(
    name: String, address: ConsoleAddress, log: ConsoleLog, backoff: Backoff = Backoff(),
    onChange: @escaping @Sendable () -> Void
  ) {
    self.name = name
    self.address = address
    self.log = log
    self.backoff = backoff
    self.onChange = onChange
  }

  /// Starts the thread, which keeps the port alive until ``stop()``.
  func start() throws(OwnerFailure) {
    do {
      _ = try NamedThread("port \(name)") { PortLoop(self).run() }
    } catch {
      throw OwnerFailure(.system, error.message)
    }
  }

  var snapshot: Snapshot { shared.withLock { $0.snapshot } }

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
        .busy, "console '\(name)': too much waits to be sent", hint: "wait for the answers")
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

  func change(on event: PortState.Event, lines: ControlLines? = nil) {
    let isChange = shared.withLock { shared in
      guard let next = shared.snapshot.state.next(on: event) else { return false }
      let isNew = next != shared.snapshot.state
      shared.snapshot.state = next
      shared.snapshot.lines = lines
      if isNew { shared.snapshot.serial += 1 }
      return isNew
    }
    if isChange {
      switch snapshot.state {
      case .open: log.note("open", ["address": .text(address.description)])
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
