internal import KelvinModel
internal import Synchronization

/// A relay board behind a serial line.
package final class SimulatedRelayBoard: SimulatedDevice {
  package enum Model: Sendable, Hashable {
    /// Many relays: tells its states when asked.
    case lcus
    /// One relay: tells nothing.
    case lcusSilent
    /// Devantech with this module id.
    case devantech(id: UInt8)
  }

  private struct State {
    var relays: [Bool]
    var fault = DeviceFault.none
    var received: [[UInt8]] = []
  }
  private let model: Model
  private let changed: @Sendable (_ relay: Int, _ isOn: Bool) -> Void
  private let state: Mutex<State>

  /// - Parameters:
  ///   - relays: how many, all off.
  ///   - changed: hears of each that was switched, by its number from 1, on the server's thread.
  package init(
    _ model: Model, relays: Int,
    changed: @escaping @Sendable (_ relay: Int, _ isOn: Bool) -> Void = { _, _ in }
  ) {
    self.model = model
    self.changed = changed
    state = Mutex(State(relays: [Bool](repeating: false, count: relays)))
  }

  /// Which contacts are closed.
  package var relays: [Bool] { state.withLock { $0.relays } }
  /// Every request so far, byte for byte.
  package var requests: [[UInt8]] { state.withLock { $0.received } }
  package var fault: DeviceFault {
    get { state.withLock { $0.fault } }
    set { state.withLock { $0.fault = newValue } }
  }

  package func answer(_ received: inout [UInt8]) -> [UInt8]? {
    guard !received.isEmpty else { return nil }
    let before = relays
    let answer = state.withLock { state in
      switch model {
      case .lcus, .lcusSilent: Self.lcus(&received, model == .lcus, &state)
      case .devantech(let id): Self.devantech(&received, id, &state)
      }
    }
    for (index, (old, new)) in zip(before, relays).enumerated() where old != new {
      changed(index + 1, new)
    }
    return answer
  }

  private static func lcus(
    _ received: inout [UInt8], _ tells: Bool, _ state: inout State
  ) -> [UInt8]? {
    if received[0] == 0xFF {
      state.received.append([received.removeFirst()])
      guard tells else { return [] }
      if state.fault == .otherDevice { return Array("OK\r\n".utf8) }
      let lines = state.relays.enumerated().map { index, isOn in
        "CH\(index + 1): \(isOn ? "ON" : "OFF")\r\n"
      }
      return Array(lines.joined().utf8)
    }
    guard received[0] == 0xA0 else {
      received.removeFirst()
      return []
    }
    guard received.count >= 4 else { return nil }
    let frame = Array(received[..<4])
    received.removeFirst(4)
    state.received.append(frame)
    let isWhole = frame[3] == frame[0] &+ frame[1] &+ frame[2]
    if isWhole, state.relays.indices.contains(Int(frame[1]) - 1), state.fault != .acknowledgesOnly {
      state.relays[Int(frame[1]) - 1] = frame[2] == 1
    }
    return []
  }

  private static func devantech(
    _ received: inout [UInt8], _ id: UInt8, _ state: inout State
  ) -> [UInt8]? {
    let command = received.removeFirst()
    state.received.append([command])
    let isOther = state.fault == .otherDevice
    switch command {
    case 0x5A: return isOther ? Array("unknown command\r\n".utf8) : [id, 3]
    case 0x5B:
      return [
        state.relays.enumerated().reduce(0) { $0 | ($1.element ? 1 << UInt8($1.offset) : 0) }
      ]
    case 0x65...0x6C, 0x6F...0x76:
      let isOn = command < 0x6D
      let relay = Int(command) - (isOn ? 0x65 : 0x6F)
      if state.relays.indices.contains(relay), state.fault != .acknowledgesOnly {
        state.relays[relay] = isOn
      }
      return []
    default: return []
    }
  }
}
