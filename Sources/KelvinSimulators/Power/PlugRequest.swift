internal import KelvinModel

/// A request as a plug reads it.
struct PlugRequest {
  let line: String
  let path: String
  var query: [String: String] = [:]
  var headers: [String: String] = [:]
  let body: String
  /// Of a frame of JSON-RPC: its number.
  var frame: Int64 = 0

  /// Nil while it is not whole.
  init?(_ received: inout [UInt8]) {
    let text = String(decoding: received, as: UTF8.self)
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    let lines = parts[0].split(separator: "\r\n")
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1)
      guard pair.count == 2 else { continue }
      headers[pair[0].lowercased()] = String(pair[1].drop { $0 == " " })
    }
    guard parts[1].utf8.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0 else {
      return nil
    }
    body = String(parts[1])
    line = lines.first.map(String.init) ?? ""
    let words = line.split(separator: " ")
    let target = words.count > 1 ? words[1] : "/"
    path = String(target.prefix { $0 != "?" })
    for pair in target.dropFirst(path.count + 1).split(separator: "&") {
      let sides = pair.split(separator: "=", maxSplits: 1).map { PlugRequest.decode($0) }
      if sides.count == 2 { query[sides[0]] = sides[1] }
    }
    received = []
  }

  /// A frame of JSON-RPC, as the request that says the same by a path; nil when it is none.
  init?(rpc text: String) {
    guard let map = Value(json: text)?.map, let method = map["method"]?.text else { return nil }
    frame = map["id"]?.integer ?? 0
    path = "/rpc/\(method)"
    for (name, value) in map["params"]?.map ?? [:] { query[name] = value.display }
    line = "POST \(path)"
    body = ""
  }

  private static func decode(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == UInt8(ascii: "+") ? 32 : byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
