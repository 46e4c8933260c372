import KelvinModel
import KelvinSystem
import Synchronization

@testable import KelvinConnections

/// A pulse that beats on a thread of its own, while the board's waits for a command.
final class BeatingPulse: Sendable {
  private let end = Interrupt()
  private let asked = Mutex((beats: 0, failure: ConnectionFailure?.none))
  private let thread = Mutex<NamedThread?>(nil)

  /// - Parameter seconds: between two beats.
  init(_ pulse: any Pulse, each seconds: Double) throws {
    let beating = try NamedThread("pulse") { [self] in
      while !end.isRaised {
        do throws(ConnectionFailure) {
          try pulse.beat(until: soon())
          asked.withLock { $0.beats += 1 }
          try pulse.rest(until: .after(seconds: seconds, interrupt: end))
        } catch {
          if error.code != .interrupted { asked.withLock { $0.failure = error } }
          return
        }
      }
    }
    thread.withLock { $0 = beating }
  }

  /// Ends it, and gives how often it beat and what kept it from going on.
  func stop() -> (beats: Int, failure: ConnectionFailure?) {
    end.raise()
    thread.withLock { $0.take() }?.join()
    return asked.withLock { $0 }
  }
}
