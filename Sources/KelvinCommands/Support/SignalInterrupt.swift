internal import CLinux
internal import Glibc
internal import KelvinModel
internal import Synchronization

/// SIGINT, SIGTERM and SIGHUP for commands that only wait: the first raises an interrupt, so that
/// the command ends as it should; the second ends the process at once.
enum SignalInterrupt {
  private static let interrupt = Interrupt()
  private static let first = Atomic<Int32>(0)

  /// With what a command ends that such a signal has stopped; nil when none came.
  static var exitCode: Int32? {
    let number = first.load(ordering: .relaxed)
    return number == 0 ? nil : 128 + number
  }

  /// Takes the signals over for the rest of this process.
  static func begin() -> Interrupt {
    // It must exist before the handler can use it.
    let interrupt = interrupt
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { number in
        if SignalInterrupt.interrupt.isRaised {
          kelvin_terminal_restore()
          _exit(128 + number)
        }
        SignalInterrupt.first.store(number, ordering: .relaxed)
        SignalInterrupt.interrupt.raise()
      }
    }
    return interrupt
  }
}
