internal import CLinux
internal import Glibc
internal import KelvinModel

/// SIGINT, SIGTERM and SIGHUP for commands that only wait: the first raises an interrupt, so that
/// the command ends as it should; the second ends the process at once.
enum SignalInterrupt {
  private static let interrupt = Interrupt()

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
        SignalInterrupt.interrupt.raise()
      }
    }
    return interrupt
  }
}
