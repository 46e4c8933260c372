internal import KelvinModel

/// How U-Boot's shell reads text. Pure.
package enum UBootQuoting {
  /// A word that the shell takes as exactly these bytes.
  ///
  /// The old hush (2023 and before) takes backslashes for escapes inside single quotes, too; the new
  /// one does not. So backslashes and quotes stand outside of them.
  package static func word(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    let quote = UInt8(ascii: "'")
    let backslash = UInt8(ascii: "\\")
    var result: [UInt8] = []
    var isQuoted = false
    for byte in bytes {
      let isSpecial = byte == quote || byte == backslash
      if isSpecial == isQuoted {
        result.append(quote)
        isQuoted.toggle()
      }
      if isSpecial { result.append(backslash) }
      result.append(byte)
    }
    if isQuoted { result.append(quote) }
    return result.isEmpty ? [quote, quote] : result
  }

  /// Why a command cannot be typed so that its end is found again; nil when it can.
  ///
  /// An open quote, a comment, or a keyword without its partner would swallow what follows the
  /// command, and keys beside the printable ones are the line editor's.
  package static func obstacle(_ command: [UInt8]) -> String? {
    if let byte = command.first(where: { ($0 < 32 && $0 != 10) || $0 == 127 }) {
      return "it has the control character \(byte), which U-Boot's line editor would act upon"
    }
    var scanner = Scanner()
    for byte in command {
      if let problem = scanner.take(byte) { return problem }
    }
    return scanner.end()
  }

  /// What of a command only hush understands, and the simple parser would take for an argument or for a
  /// command's name; nil when there is nothing.
  package static func hushWord(in command: [UInt8]) -> String? {
    var isQuoted = false
    var bare: [UInt8] = []
    for byte in command {
      if byte == UInt8(ascii: "'") { isQuoted.toggle() }
      bare.append(isQuoted ? UInt8(ascii: "x") : byte)
    }
    let text = String(decoding: bare, as: UTF8.self)
    for sign in ["&&", "||"] where text.contains(sign) { return sign }
    let keywords = ["if", "for", "while", "until"]
    return text.split(whereSeparator: { $0 == ";" || $0 == "\n" }).lazy
      .compactMap { $0.split(separator: " ").first.map(String.init) }.first(
        where: keywords.contains)
  }

  private struct Scanner {
    private var quote: UInt8?
    private var isEscaped = false
    private var word: [UInt8] = []
    /// Whether a word of a command, and not its first, is being read; and whether quotes were in it.
    private var isPlainWord = false
    private var isFirst = true
    private var isQuotedWord = false
    private var hasWords = false
    private var expected: [String] = []

    mutating func take(_ byte: UInt8) -> String? {
      if isEscaped {
        isEscaped = false
        return append(byte, isQuoted: true)
      }
      if byte == UInt8(ascii: "\\") {
        isEscaped = true
        return nil
      }
      if let open = quote {
        if byte == open { quote = nil }
        return append(byte, isQuoted: true)
      }
      switch byte {
      case UInt8(ascii: "'"), UInt8(ascii: "\""):
        quote = byte
        return append(byte, isQuoted: true)
      case UInt8(ascii: "#") where word.isEmpty:
        return "it has a comment, which would hide what follows it; leave that out"
      case UInt8(ascii: " "): return endWord()
      case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), 10:
        let problem = endWord()
        isFirst = true
        return problem
      default: return append(byte, isQuoted: false)
      }
    }

    mutating func end() -> String? {
      if isEscaped { return "it ends with a backslash" }
      if let quote {
        return "a quote \(Character(UnicodeScalar(quote))) is open at its end"
      }
      if let problem = endWord() { return problem }
      if let missing = expected.last { return "'\(missing)' is missing at its end" }
      return hasWords ? nil : "it is empty"
    }

    private mutating func append(_ byte: UInt8, isQuoted: Bool) -> String? {
      word.append(byte)
      isQuotedWord = isQuotedWord || isQuoted
      return nil
    }

    private mutating func endWord() -> String? {
      guard !word.isEmpty else { return nil }
      let text = isQuotedWord ? "" : String(decoding: word, as: UTF8.self)
      let wasFirst = isFirst
      (word, isQuotedWord, isFirst, hasWords) = ([], false, false, true)
      guard wasFirst else { return nil }
      switch text {
      case "if": expected.append("fi")
      case "for": expected.append("done")
      case "while", "until": expected.append("done")
      case "fi", "done":
        guard expected.popLast() == text else { return "'\(text)' has nothing to end" }
        return nil
      case "then", "elif", "else":
        guard expected.last == "fi" else { return "'\(text)' stands outside of an 'if'" }
      case "do":
        guard expected.last == "done" else { return "'do' stands outside of a loop" }
      default: return nil
      }
      // A command may follow at once; after 'for' it is a name.
      isFirst = text != "for"
      return nil
    }
  }
}
