package import KelvinModel

/// The lines of Otii's TCP server: JSON in UTF-8, each with CR LF at its end.
///
/// Source: qoitech/otii-tcp-client-python, otii_connection.py and otii_exception.py: a request has `type`
/// ("request"), `cmd`, `trans_id` and mostly `data`; what comes back is a `response` or an `error` with the same
/// `trans_id`, or something that nobody asked for.
package enum OtiiMessage: Sendable, Hashable {
  /// What the server says of itself to whoever connects.
  case information(String, [String: Value])
  /// How far something long has come.
  case progress
  case response(id: String, [String: Value])
  /// An id that is empty belongs to whatever was asked last: a request that could not be read has none.
  case error(id: String, code: String, [String: Value])

  /// Reads a line; nil when it is none of these.
  package init?(_ line: some Collection<UInt8>) {
    guard case .map(let map)? = Value(json: String(decoding: line, as: UTF8.self)) else {
      return nil
    }
    let data = map["data"]?.map ?? [:]
    let id = map["trans_id"]?.text ?? map["trans_id"]?.integer.map(String.init) ?? ""
    switch map["type"]?.text {
    case "information": self = .information(map["info"]?.text ?? "", data)
    case "progress": self = .progress
    case "response" where !id.isEmpty: self = .response(id: id, data)
    case "error":
      guard let code = map["errorcode"]?.text else { return nil }
      self = .error(id: id, code: code, data)
    default: return nil
    }
  }

  /// A request, with the end of its line.
  package static func request(_ command: String, _ data: [String: Value], id: String) -> [UInt8] {
    var map: [String: Value] = [
      "type": "request", "cmd": .text(command), "trans_id": .text(id)
    ]
    if !data.isEmpty { map["data"] = .map(data) }
    return Array((Value.map(map).json + "\r\n").utf8)
  }
}
