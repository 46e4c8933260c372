internal import KelvinModel

/// An Arc or Ace that the server knows.
///
/// Source: qoitech/otii-tcp-client-python, otii.py, get_devices; arc.py, get_version.
struct OtiiDevice: Sendable, Hashable {
  var id: String
  var name: String
  /// `Arc`, `Ace` or `Simulator`.
  var type: String
  var firmware = ""
  var hardware = ""

  /// What measures; `Uart` does not.
  private static let measuring: Set<String> = ["Arc", "Ace", "Simulator"]

  /// Finds one.
  ///
  /// - Parameter wanted: its name or id; nil: the only one there is.
  /// - Throws: `notFound`, `invalid` when several are meant, with what there is; `gone` when it is not connected.
  static func find(
    _ wanted: String?, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> OtiiDevice {
    let answer = try session.ask("otii_get_devices", ["timeout": 1], until: deadline)
    var devices: [OtiiDevice] = []
    for entry in answer["devices"]?.list ?? [] {
      guard let map = entry.map, let id = map["device_id"]?.text, let type = map["type"]?.text
      else { throw session.lacks("devices", "otii_get_devices", answer) }
      guard measuring.contains(type) else { continue }
      devices.append(OtiiDevice(id: id, name: map["name"]?.text ?? id, type: type))
    }
    let meant = devices.filter { wanted == nil || $0.id == wanted || $0.name == wanted }
    let known = devices.map { "\($0.name) (\($0.id))" }.joined(separator: ", ")
    guard var found = meant.first else {
      throw MeterFailure(
        .notFound, "\(session.name): there is no " + (wanted.map { "'\($0)'" } ?? "Arc or Ace"),
        hint: devices.isEmpty ? "is it plugged in, and seen by Otii?" : "there are \(known)")
    }
    guard meant.count == 1 else {
      throw MeterFailure(
        .invalid, "\(session.name): there are several: \(known)", hint: "name one by 'device'")
    }
    let version = try session.ask(
      "arc_get_version", ["device_id": .text(found.id)], until: deadline)
    found.firmware = version["fw_version"]?.text ?? ""
    found.hardware = version["hw_version"]?.text ?? ""
    return found
  }
}
