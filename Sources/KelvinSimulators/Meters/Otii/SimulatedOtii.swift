internal import KelvinModel
internal import Synchronization

/// Otii's TCP server with an Arc or Ace behind it, for one client after the other.
package final class SimulatedOtii: SimulatedDevice {
  /// Of its only device.
  package static let device = "Arc12345678912345678912345678900001"
  package static let name = "Bench Otii"

  let faults: OtiiFaults
  private let unit: Mutex<OtiiUnit>
  private let wire = Mutex(DeviceFault.none)

  package init(_ model: OtiiUnit.Model = .arc, faults: OtiiFaults = OtiiFaults()) {
    self.faults = faults
    var unit = OtiiUnit(model, faults)
    if faults.isRecording {
      unit.recordings = [
        .init(number: 0, begin: MonotonicTime.now.nanoseconds, end: nil, rates: [:], volts: 0)
      ]
      unit.recorded = 1
    }
    self.unit = Mutex(unit)
  }

  /// How it is now.
  package var now: OtiiUnit { unit.withLock { $0 } }

  package var fault: DeviceFault { wire.withLock { $0 } }

  package func greeting() -> [UInt8] {
    // A new connection begins without what ended the last one.
    wire.withLock { $0 = .none }
    if let other = faults.greeting { return Array((other + "\r\n").utf8) }
    if faults.isDenying {
      return Array(
        (#"{"type":"error","errorcode":"Connection denied","cmd":"","trans_id":"","#
          + #""data":{"message":"one client at a time"}}"# + "\r\n").utf8)
    }
    return Array(
      (#"{"type":"information","info":"connected","data":{"otii_version":""# + faults.version
        + #"","protocol_version":"0.1","server":"otii-server"}}"# + "\r\n").utf8)
  }

  package func answer(_ received: inout [UInt8]) -> [UInt8]? {
    guard let end = received.firstIndex(of: 10) else { return nil }
    let line = Array(received[..<end].filter { $0 != 13 })
    received.removeSubrange(...end)
    switch fault {
    case .late: wire.withLock { $0 = .none }
    case .silent, .half, .cut: return []
    default: break
    }
    guard let request = Value(json: String(decoding: line, as: UTF8.self))?.map,
      let command = request["cmd"]?.text
    else {
      return Self.line(
        #"{"type":"error","errorcode":"Not able to parse request","cmd":"","data":{"parse_error":"","data":""}}"#
      )
    }
    let id = request["trans_id"]?.text ?? ""
    let data = request["data"]?.map ?? [:]
    var event: OtiiFaults.Event?
    let reply = unit.withLock { unit -> OtiiWords.Reply in
      if command == "recording_get_channel_data" {
        unit.said += 1
        event = faults.events[unit.said]
      }
      return OtiiWords(faults: faults).obey(command, data, &unit, event)
    }
    return told(reply, command, id, event)
  }

  private func told(
    _ reply: OtiiWords.Reply, _ command: String, _ id: String, _ event: OtiiFaults.Event?
  ) -> [UInt8] {
    var id = id
    switch event {
    case .late(let seconds): wire.withLock { $0 = .late(seconds: seconds) }
    case .silent: wire.withLock { $0 = .silent }
    case .cut: wire.withLock { $0 = .cut }
    case .half: wire.withLock { $0 = .half }
    case .garbage: return Self.line("\u{1}?\u{2}")
    case .otherAnswer: id += "7"
    default: break
    }
    switch reply {
    case .data(let text):
      return Self.line(
        "{\"type\":\"response\",\"cmd\":\"\(command)\",\"trans_id\":\"\(id)\",\"data\":\(text)}")
    case .refused(let code, let text):
      return Self.line(
        "{\"type\":\"error\",\"errorcode\":\"\(code)\",\"cmd\":\"\(command)\","
          + "\"trans_id\":\"\(id)\",\"data\":\(text)}")
    }
  }

  private static func line(_ text: String) -> [UInt8] { Array((text + "\r\n").utf8) }
}
