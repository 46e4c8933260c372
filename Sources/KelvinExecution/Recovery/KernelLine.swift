internal import KelvinConnections

/// A line in which a kernel may speak, and the places in it where a message of a kernel may begin.
///
/// A console carries what programs print as well. A message counts as the kernel's when in its line
/// nothing stands before it but a prefix of printk's or of what prints a kernel's log; or when a
/// timestamp of printk's stands right before it, wherever that is, because a kernel speaks in the
/// middle of others' lines, too; or when what stands before it has no letter and no quotation mark:
/// a prefix that noise has damaged, or a prompt.
///
/// What Kelvin itself reads over a console comes as replies in one line each, `~SESSION CHECKSUM ...`, with `~` in
/// the place of line ends: a timestamp at the beginning of such a content's line is that of a log that is read,
/// and no kernel that speaks.
///
/// Prefixes: `<6>` (syslog level), `[   12.345678]` and `[   12.345678][   T42]` (kernel/printk:
/// CONFIG_PRINTK_TIME and _CALLER), `6,1234,12345678,-;` (/dev/kmsg), `kern  :info  : ` (dmesg -x),
/// `[Thu Nov 26 13:42:12 2026]` and `2026-11-26T13:42:12,345678+00:00` (dmesg's other times), and
/// `Nov 26 13:42:12 host kernel: ` (syslog).
struct KernelLine {
  struct Message {
    /// Without its prefix, with its indentation.
    let text: ArraySlice<UInt8>
    /// Microseconds since the kernel's boot; nil where its prefix has none.
    let time: UInt64?
    /// Whether a prefix says that a kernel speaks.
    let isMarked: Bool
    /// Printk's caller, `T42` or `C0`; empty where it is not shown.
    let caller: ArraySlice<UInt8>
  }

  /// Without control sequences.
  let bytes: [UInt8]
  /// In the order of the line; the first is what its beginning says.
  let messages: [Message]

  init(_ line: [UInt8]) {
    bytes = line.contains { $0 < 32 && $0 != 9 || $0 == 127 } ? ConsoleText.visible(line) : line
    messages = KernelLine.messages(in: bytes)
  }

  private static func messages(in bytes: [UInt8]) -> [Message] {
    var prefix = KernelPrefix(bytes[...])
    prefix.skip()
    let first = Message(
      text: prefix.rest, time: prefix.time, isMarked: prefix.isMarked, caller: prefix.caller)
    var result = [first]
    let isReply = isReply(bytes)
    // A timestamp further on.
    var index = first.text.startIndex
    while let bracket = bytes[index...].firstIndex(of: UInt8(ascii: "[")) {
      index = bracket + 1
      guard bracket > 0 else { continue }
      // The content begins behind a blank.
      if isReply, bytes[bracket - 1] == 126 || bytes[bracket - 1] == 32 { continue }
      var inner = KernelPrefix(bytes[bracket...])
      guard inner.skipTime() else { continue }
      result.append(
        Message(text: inner.rest, time: inner.time, isMarked: true, caller: inner.caller))
      index = inner.rest.startIndex
    }
    // Behind what is no text.
    if let letter = bytes.firstIndex(where: isLetter), letter > 0,
      !result.contains(where: { $0.text.startIndex == letter }),
      !bytes[..<letter].contains(where: isQuote)
    {
      result.append(Message(text: bytes[letter...], time: nil, isMarked: false, caller: []))
    }
    return result
  }

  /// Whether it is a reply of the console's agent.
  private static func isReply(_ bytes: [UInt8]) -> Bool {
    guard bytes.first == 126 else { return false }
    let session = bytes.dropFirst().prefix(13).prefix { isLetter($0) || (48...57).contains($0) }
    let rest = bytes[session.endIndex...]
    let sum = rest.dropFirst().prefix(40).prefix {
      (48...57).contains($0) || (97...102).contains($0)
    }
    return (2...12).contains(session.count) && rest.first == 32 && sum.count >= 4
      && bytes[sum.endIndex...].first == 32
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func isQuote(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`")
  }
}

/// Reads the prefixes at the beginning of a line.
struct KernelPrefix {
  private(set) var rest: ArraySlice<UInt8>
  private(set) var time: UInt64?
  private(set) var isMarked = false
  private(set) var caller: ArraySlice<UInt8> = []

  init(_ line: ArraySlice<UInt8>) { rest = line }

  mutating func skip() {
    if skipSyslog() || skipISOTime() { isMarked = true }
    if skipFacility() { isMarked = true }
    if skipLevel() { isMarked = true }
    if skipRecord() || skipTime() || skipDate() { isMarked = true }
  }

  /// `[   12.345678] `, `[   12.345678][   T42] `.
  mutating func skipTime() -> Bool {
    var text = rest
    guard text.take("["), case _ = text.skip(32) else { return false }
    guard let seconds = text.number(digits: 10), text.take("."),
      let begin = Optional(text.startIndex), let fraction = text.number(digits: 9)
    else { return false }
    let places = text.startIndex - begin
    guard text.take("]") else { return false }
    var micro = fraction
    for _ in places..<max(places, 6) { micro *= 10 }
    for _ in min(6, places)..<places { micro /= 10 }
    time = seconds * 1_000_000 + micro
    isMarked = true
    var behind = text
    if behind.take("["), case _ = behind.skip(32),
      let end = behind.prefix(16).firstIndex(of: UInt8(ascii: "]")),
      let kind = behind.first, kind == UInt8(ascii: "T") || kind == UInt8(ascii: "C")
    {
      caller = behind[..<end]
      text = behind[(end + 1)...]
    }
    _ = text.take(" ")
    rest = text
    return true
  }

  /// `<6>`.
  private mutating func skipLevel() -> Bool {
    var text = rest
    guard text.take("<"), text.number(digits: 3) != nil, text.take(">") else { return false }
    rest = text
    return true
  }

  /// `6,1234,12345678,-;` and `6,1234,12345678,-,caller=T42;`.
  private mutating func skipRecord() -> Bool {
    var text = rest
    guard text.number(digits: 5) != nil, text.take(","), text.number(digits: 20) != nil,
      text.take(","), let micro = text.number(digits: 18), text.take(","),
      let end = text.prefix(48).firstIndex(of: UInt8(ascii: ";"))
    else { return false }
    time = micro
    rest = text[(end + 1)...]
    return true
  }

  /// `[Thu Nov 26 13:42:12 2026] `.
  private mutating func skipDate() -> Bool {
    var text = rest
    guard text.take("["), let first = text.first, first >= 65, first <= 90,
      let end = text.prefix(32).firstIndex(of: UInt8(ascii: "]")),
      text[..<end].count(where: { $0 == UInt8(ascii: ":") }) == 2
    else { return false }
    text = text[(end + 1)...]
    _ = text.take(" ")
    rest = text
    return true
  }

  /// `2026-11-26T13:42:12,345678+00:00 `.
  private mutating func skipISOTime() -> Bool {
    var text = rest
    guard text.number(digits: 4) != nil, text.take("-"), text.number(digits: 2) != nil,
      text.take("-"), text.number(digits: 2) != nil, text.take("T"),
      let end = text.prefix(32).firstIndex(of: 32)
    else { return false }
    rest = text[(end + 1)...]
    return true
  }

  /// `kern  :info  : `.
  private mutating func skipFacility() -> Bool {
    var text = rest
    for _ in 0..<2 {
      let word = text.prefix(8).prefix { (97...122).contains($0) || (48...57).contains($0) }
      text = text[word.endIndex...]
      text.skip(32)
      guard !word.isEmpty, text.startIndex - word.startIndex < 12, text.take(":") else {
        return false
      }
    }
    _ = text.take(" ")
    rest = text
    return true
  }

  /// `Nov 26 13:42:12 host kernel: `.
  private mutating func skipSyslog() -> Bool {
    guard let first = rest.first, first >= 65, first <= 90, rest.dropFirst(3).first == 32 else {
      return false
    }
    let head = rest.prefix(96)
    guard let end = head.range(ofBytes: " kernel: ") else { return false }
    rest = rest[end.upperBound...]
    return true
  }
}

extension ArraySlice<UInt8> {
  /// Drops the one byte, if it is first.
  fileprivate mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard first == UInt8(ascii: character) else { return false }
    self = dropFirst()
    return true
  }

  /// Drops all of a byte's that come first.
  fileprivate mutating func skip(_ byte: UInt8) { self = drop { $0 == byte } }

  /// Drops a decimal number of so many digits at most.
  fileprivate mutating func number(digits: Int) -> UInt64? {
    var value: UInt64 = 0
    var count = 0
    while let byte = first, byte >= 48, byte <= 57, count < digits {
      value = value &* 10 &+ UInt64(byte - 48)
      count += 1
      self = dropFirst()
    }
    return count > 0 ? value : nil
  }

  /// Where a word is; nil when it is not there.
  func range(ofBytes word: StaticString) -> Range<Int>? {
    word.withUTF8Buffer { word in
      guard let head = word.first, count >= word.count else { return nil }
      var index = startIndex
      while let found = self[index...].firstIndex(of: head), found <= endIndex - word.count {
        if self[found..<(found + word.count)].elementsEqual(word) {
          return found..<(found + word.count)
        }
        index = found + 1
      }
      return nil
    }
  }

  /// Whether the word is first.
  func begins(with word: StaticString) -> Bool {
    word.withUTF8Buffer { starts(with: $0) }
  }

  func has(_ word: StaticString) -> Bool { range(ofBytes: word) != nil }
}
