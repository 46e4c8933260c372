internal import CLinux
internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What SIGINT, SIGTERM and SIGHUP do to a run: the first lets the stages that must run finish, the
/// second ends everything at once.
///
/// The handler only adds to an eventfd; a thread of its own does the rest, however busy or stuck
/// the others are.
final class RunControl: Sendable {
  let stop = Interrupt()
  private let signalNumber = Atomic<Int32>(0)
  private let runID: String

  /// The signal that stopped the run; 0 when none did.
  var received: Int32 { signalNumber.load(ordering: .acquiring) }

  /// For the record: `SIGINT`.
  var reason: String { RunControl.name(of: received) }

  /// 130 for SIGINT, 143 for SIGTERM, nil when no signal came.
  var exitCode: Int32? { received == 0 ? nil : 128 + received }

  /// Creates it; ``begin()`` takes the signals over.
  ///
  /// - Parameter runID: whose processes the second signal ends.
  init(runID: String) { self.runID = runID }

  /// Takes the signals over for the rest of this process.
  func begin() {
    for (number, eventDescriptor) in SignalEvents.descriptors {
      guard eventDescriptor >= 0 else { continue }
      signal(number, SignalEvents.handler)
    }
    _ = try? NamedThread("signals") { self.wait() }
  }

  private func wait() {
    while true {
      var waiting = SignalEvents.descriptors.map {
        pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0)
      }
      guard poll(&waiting, nfds_t(waiting.count), -1) > 0 else { continue }
      for (index, entry) in waiting.enumerated() where entry.revents != 0 {
        var count: UInt64 = 0
        guard read(entry.fd, &count, 8) == 8 else { continue }
        take(SignalEvents.descriptors[index].number, count: count)
      }
    }
  }

  private func take(_ number: Int32, count: UInt64) {
    let isFirst = signalNumber.compareExchange(
      expected: 0, desired: number, ordering: .acquiringAndReleasing
    ).exchanged
    if isFirst {
      stop.raise()
      Terminal.standardError.line(
        "\nkelvin: \(reason): finishing what must run; once more ends at once")
    }
    if !isFirst || count > 1 { endAtOnce(number) }
  }

  private func endAtOnce(_ number: Int32) -> Never {
    _ = SurvivorHunter.endProcesses(
      withEnvironment: "KELVIN_RUN=\(runID)", alsoIdentities: [], grace: 0,
      until: .after(seconds: 2))
    _exit(128 + number)
  }

  private static func name(of number: Int32) -> String {
    switch number {
    case SIGTERM: "SIGTERM"
    case SIGHUP: "SIGHUP"
    default: "SIGINT"
    }
  }
}

/// The eventfds that the signal handler adds to: process-wide, as dispositions of signals are.
private enum SignalEvents {
  static let descriptors: [(number: Int32, descriptor: Int32)] = [SIGINT, SIGTERM, SIGHUP].map {
    ($0, kelvin_eventfd())
  }

  /// Async-signal-safe: the list exists before the handler is set, and write(2) is all it does.
  static let handler: @convention(c) (Int32) -> Void = { number in
    let saved = errno
    for entry in SignalEvents.descriptors where entry.number == number {
      var one: UInt64 = 1
      _ = write(entry.descriptor, &one, 8)
    }
    errno = saved
  }
}
