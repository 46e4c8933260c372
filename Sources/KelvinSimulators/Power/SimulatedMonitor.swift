internal import KelvinModel
internal import Synchronization

/// A monitor as QEMU has one, for what the real one does not do: other versions, and faults.
package final class SimulatedMonitor: SimulatedDevice {
  private struct State {
    var run = "running"
    var fault = DeviceFault.none
  }
  private let major: Int
  private let lacking: Set<String>
  private let state = Mutex(State())

  /// - Parameters:
  ///   - major: the version that it greets with.
  ///   - lacking: commands that this version has lost.
  package init(major: Int = 7, lacking: Set<String> = []) {
    self.major = major
    self.lacking = lacking
  }

  package var run: String {
    get { state.withLock { $0.run } }
    set { state.withLock { $0.run = newValue } }
  }
  package var fault: DeviceFault {
    get { state.withLock { $0.fault } }
    set { state.withLock { $0.fault = newValue } }
  }

  package func greeting() -> [UInt8] {
    let text =
      fault == .otherDevice
      ? "QEMU 7.2.0 monitor - type 'help' for more information\r\n(qemu) "
      : """
      {"QMP": {"version": {"qemu": {"micro": 0, "minor": 1, "major": \(major)}, "package": ""}, \
      "capabilities": ["oob"]}}\r\n
      """
    return Array(text.utf8)
  }

  package func answer(_ received: inout [UInt8]) -> [UInt8]? {
    guard let end = received.firstIndex(of: 10) else { return nil }
    let line = String(decoding: received[..<end], as: UTF8.self)
    received.removeSubrange(...end)
    let identity = line.split(separator: "\"id\":\"").dropFirst().first?.prefix { $0 != "\"" } ?? ""
    let command = line.split(separator: "\"").dropFirst(3).first.map(String.init) ?? ""
    let id = "\"id\": \"\(identity)\""
    let text = state.withLock { state in
      guard !lacking.contains(command) else {
        return "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"not found\"}, \(id)}"
      }
      let obeys = state.fault != .acknowledgesOnly
      switch command {
      case "query-status": return "{\"return\": {\"status\": \"\(state.run)\"}, \(id)}"
      case "query-commands":
        let all = ["query-status", "stop", "cont", "system_reset", "quit"]
        let names = all.filter { !lacking.contains($0) }.map { "{\"name\": \"\($0)\"}" }
        return "{\"return\": [\(names.joined(separator: ", "))], \(id)}"
      case "stop":
        if obeys, state.run == "running" { state.run = "paused" }
        return #"{"event": "STOP", "timestamp": {"seconds": 1}}"# + "\r\n"
          + "{\"return\": {}, \(id)}"
      case "cont":
        if obeys { state.run = "running" }
        return "{\"return\": {}, \(id)}"
      case "system_reset":
        if obeys, state.run != "running" { state.run = "prelaunch" }
        return "{\"return\": {}, \(id)}" + "\r\n" + #"{"event": "RESET", "data": {"guest": false}}"#
      default: return "{\"return\": {}, \(id)}"
      }
    }
    return Array((text + "\r\n").utf8)
  }
}
