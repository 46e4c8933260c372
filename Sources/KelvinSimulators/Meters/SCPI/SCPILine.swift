/// A command or question as it came, taken apart: `:SOURce1:VOLTage 5,(@2)`.
struct SCPILine {
  /// In its short form and capitals, without the optional SOURce and without what follows a question mark: `VOLT`.
  var header: String
  var isQuestion: Bool
  var arguments: [String]
  /// That it names: by a list, as `CH2` or in its header; nil: none.
  var channel: Int?

  private static let short = [
    "VOLTAGE": "VOLT", "CURRENT": "CURR", "POWER": "POW", "POWE": "POW", "MEASURE": "MEAS",
    "OUTPUT": "OUTP", "STATE": "STAT", "STATUS": "STAT", "PROTECTION": "PROT", "LEVEL": "LEV",
    "SYSTEM": "SYST", "ERROR": "ERR", "INSTRUMENT": "INST", "FETCH": "FETC", "INITIATE": "INIT",
    "FUNCTION": "FUNC", "CONFIGURE": "CONF", "VALUE": "VAL", "SRATE": "SRAT", "TARGET": "TARG",
    "PERIOD": "PER", "REMOTE": "REM", "LOCAL": "LOC", "VERSION": "VERS", "OPERATION": "OPER"
  ]

  /// Takes one apart; nil when it is empty.
  init?(_ text: String) {
    let words = text.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
    guard var head = words.first.map({ $0.uppercased() }), !head.isEmpty else { return nil }
    isQuestion = head.last == "?"
    if isQuestion { head.removeLast() }
    var nodes = head.split(separator: ":").map { Self.short[String($0)] ?? String($0) }
    if let first = nodes.first, first.hasPrefix("SOUR") { nodes.removeFirst() }
    channel = nil
    if let first = nodes.first, nodes.count > 1, let number = Self.number(first, "CH") {
      channel = number
      nodes.removeFirst()
    }
    header = nodes.joined(separator: ":")
    arguments = []
    let rest = words.count > 1 ? words[1] : ""
    for part in rest.split(separator: ",") {
      let word = part.trimmingPrefix { $0 == " " }.uppercased()
      if word.hasPrefix("(@"), word.last == ")", let number = Int(word.dropFirst(2).dropLast()) {
        channel = number
      } else if let number = Self.number(word, "CH") {
        channel = number
      } else {
        arguments.append(word)
      }
    }
  }

  private static func number(_ word: String, _ prefix: String) -> Int? {
    word.hasPrefix(prefix) ? Int(word.dropFirst(prefix.count)) : nil
  }
}
