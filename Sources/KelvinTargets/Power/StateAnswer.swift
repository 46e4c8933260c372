internal import KelvinModel

/// How an answer tells a state: by a value of its JSON, or by texts that it holds.
struct StateAnswer: Sendable, Hashable {
  /// Keys and list positions; nil: by text.
  private let path: [String]?
  private let on: [String]
  private let off: [String]

  /// Reads `json`, `on` and `off` of the option `state`.
  ///
  /// - Throws: of kind configuration when a text would tell nothing, or both.
  init(_ options: [String: Value]) throws(PowerFailure) {
    let words = { (name: String) in
      options[name]?.list?.map { $0.display.lowercased() }.filter { !$0.isEmpty }
    }
    path = options["json"]?.text.map { $0.split(separator: ".").map(String.init) }
    let isJSON = path != nil
    on = words("on") ?? (isJSON ? ["true", "1", "on"] : [])
    off = words("off") ?? (isJSON ? ["false", "0", "off"] : [])
    guard !on.isEmpty, !off.isEmpty else {
      throw PowerFailure(
        .configuration, "'state' does not say what means on and off",
        hint: "add 'json', or 'on' and 'off' with texts of the answer")
    }
    guard Set(on).isDisjoint(with: off) else {
      throw PowerFailure(.configuration, "'state': the same text means on and off")
    }
  }

  /// Nil when the answer tells neither, or both.
  func isOn(_ answer: String) -> Bool? {
    let hasOn: Bool
    let hasOff: Bool
    if let path {
      guard let found = Value(json: answer).flatMap({ StateAnswer.find(path, in: $0) }) else {
        return nil
      }
      hasOn = on.contains(found.display.lowercased())
      hasOff = off.contains(found.display.lowercased())
    } else {
      let text = answer.lowercased()
      hasOn = on.contains { text.contains($0) }
      hasOff = off.contains { text.contains($0) }
    }
    return hasOn == hasOff ? nil : hasOn
  }

  private static func find(_ path: [String], in value: Value) -> Value? {
    var value = value
    for key in path {
      switch value {
      case .map(let map):
        guard let next = map[key] else { return nil }
        value = next
      case .list(let list):
        guard let index = Int(key), list.indices.contains(index) else { return nil }
        value = list[index]
      default: return nil
      }
    }
    return value
  }
}
