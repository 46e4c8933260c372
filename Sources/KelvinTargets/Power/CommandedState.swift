internal import KelvinModel
internal import Synchronization

/// What a switch was last told in this life, for devices that cannot be asked.
final class CommandedState: Sendable {
  private let stored = Mutex<PowerState?>(nil)
  var value: PowerState? {
    get { stored.withLock { $0 } }
    set { stored.withLock { $0 = newValue } }
  }
}
