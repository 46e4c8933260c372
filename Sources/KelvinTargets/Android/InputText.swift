/// Text as Android's `input` takes it.
///
/// Source: AOSP com.android.commands.input / InputShellCommand.java, sendText: `%s` stands for a space,
/// and nothing stands for `%s` itself, which must therefore be cut in two. Characters beyond those of a
/// US keyboard have no key. A key's name or number is for `input keyevent`.
struct InputText: Hashable {
  enum Step: Hashable {
    case text(String)
    case key(String)
  }
  private(set) var steps: [Step] = []

  /// More characters than that are typed by several commands.
  private static let length = 200

  /// - Returns: nil when there is a character that no key types.
  init?(_ text: String) {
    var word = ""
    var count = 0
    var isAfterPercent = false
    for character in text.unicodeScalars {
      let key: String? =
        switch character {
        case "\n": "KEYCODE_ENTER"
        case "\t": "KEYCODE_TAB"
        default: nil
        }
      if let key {
        if !word.isEmpty { steps.append(.text(word)) }
        (word, count, isAfterPercent) = ("", 0, false)
        steps.append(.key(key))
        continue
      }
      guard character.value >= 32, character.value < 127 else { return nil }
      if count >= InputText.length || (isAfterPercent && character == "s") {
        steps.append(.text(word))
        (word, count) = ("", 0)
      }
      word += character == " " ? "%s" : String(Character(character))
      count += 1
      isAfterPercent = character == "%"
    }
    if !word.isEmpty { steps.append(.text(word)) }
  }
}

/// A key for `input keyevent`.
public struct InputKey: Sendable, Hashable {
  /// `KEYCODE_HOME`, or a number.
  public let code: String

  /// Reads `HOME`, `home`, `KEYCODE_HOME` or `3` (AOSP KeyEvent.java).
  ///
  /// - Returns: nil for what can be no key.
  public init?(_ text: String) {
    if let number = Int(text), (0...65_535).contains(number) {
      code = String(number)
      return
    }
    let name = text.uppercased()
    guard !name.isEmpty,
      name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }),
      name.first?.isNumber == false
    else { return nil }
    code = name.hasPrefix("KEYCODE_") ? name : "KEYCODE_" + name
  }
}
