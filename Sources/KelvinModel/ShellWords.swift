/// Splits and quotes words as a POSIX shell does, expanding nothing.
public enum ShellWords {
  /// The words of a command line: blanks separate, single and double quotes group, a backslash
  /// escapes. Nothing is expanded: `$x`, `*` and `|` are ordinary characters.
  ///
  /// - Returns: nil when a quote is left open or a backslash ends the line.
  public static func split(_ line: String) -> [String]? {
    var words: [String] = []
    var word: String.UnicodeScalarView?
    var scalars = line.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      switch scalar {
      case " ", "\t", "\n", "\r":
        if let finished = word { words.append(String(finished)) }
        word = nil
      case "'":
        word = word ?? .init()
        var isClosed = false
        while let inner = scalars.next() {
          if inner == "'" { isClosed = true; break }
          word?.append(inner)
        }
        guard isClosed else { return nil }
      case "\"":
        word = word ?? .init()
        var isClosed = false
        while let inner = scalars.next() {
          if inner == "\"" { isClosed = true; break }
          guard inner == "\\" else { word?.append(inner); continue }
          guard let escaped = scalars.next() else { return nil }
          if !["\"", "\\", "$", "`", "\n"].contains(escaped) { word?.append("\\") }
          if escaped != "\n" { word?.append(escaped) }
        }
        guard isClosed else { return nil }
      case "\\":
        guard let escaped = scalars.next() else { return nil }
        if escaped != "\n" { word = word ?? .init(); word?.append(escaped) }
      default:
        word = word ?? .init()
        word?.append(scalar)
      }
    }
    if let word { words.append(String(word)) }
    return words
  }

  /// The word so that a POSIX shell reads exactly it: unchanged when it holds only safe characters,
  /// otherwise in single quotes. The one place where quoting happens.
  public static func quote(_ word: String) -> String {
    let isSafe =
      !word.isEmpty
      && word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
          UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: ","),
          UInt8(ascii: "+"), UInt8(ascii: "@"), UInt8(ascii: "%"):
          true
        default: false
        }
      }
    return isSafe ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }

  /// The words as one line that a POSIX shell reads back as exactly these words.
  public static func join(_ words: [String]) -> String {
    words.map(quote).joined(separator: " ")
  }

  /// Whether a shell can have a variable of this name.
  public static func isName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, !(48...57).contains(first) else { return false }
    return text.utf8.allSatisfy {
      $0 == 95 || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
    }
  }
}
