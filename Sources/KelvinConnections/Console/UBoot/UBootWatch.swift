/// Notices in what a console says that U-Boot counts down, that the board has started anew, or that a
/// kernel runs. Pure.
struct UBootWatch: Sendable {
  /// The last line in which autoboot counted down, as far as it came; nil before one.
  private(set) var countdown: [UInt8]?
  /// Whether that line has not ended: the countdown goes on.
  private(set) var isCounting = false
  /// Whether something that only a boot's beginning says has come.
  private(set) var hasRestarted = false
  /// Whether a boot loader has given its name: at its start, or because it was asked for it.
  private(set) var hasBanner = false
  /// Whether a kernel was started.
  private(set) var hasKernel = false
  private var line: [UInt8] = []

  /// Bytes of a line that are looked at.
  private static let limit = 160

  /// Takes what the console said.
  mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      if byte == 10 || byte == 13 {
        endLine()
        continue
      }
      guard line.count < UBootWatch.limit else { continue }
      line.append(byte)
      // The countdown's line does not end before the boot begins.
      if isCounting || UBootWatch.mayEnd(byte), UBootWatch.isCountdown(line) {
        (countdown, isCounting) = (line, true)
      }
    }
  }

  private mutating func endLine() {
    defer {
      line.removeAll(keepingCapacity: true)
      isCounting = false
    }
    let text = String(decoding: ConsoleText.visible(line), as: UTF8.self)
    hasBanner = hasBanner || text.hasPrefix("U-Boot 20")
    hasRestarted =
      hasRestarted || text.hasPrefix("U-Boot SPL ") || text.hasPrefix("DRAM:  ")
      || text.hasPrefix("U-Boot TPL ")
    hasKernel =
      hasKernel || text.hasPrefix("Starting kernel ...") || text.contains("] Linux version ")
      || text.contains("] Booting Linux on physical CPU ") || text.hasPrefix("EFI stub: ")
  }

  /// Whether a byte may be a countdown's last that it is known by: spares looking at each.
  private static func mayEnd(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: ":"): true
    default: false
    }
  }

  /// Whether an unfinished line is one in which autoboot counts down: `Hit any key to stop
  /// autoboot:  2 `, and what vendors write in its place.
  static func isCountdown(_ line: [UInt8]) -> Bool {
    guard line.count >= 8, line.count <= UBootWatch.limit else { return false }
    let text = String(decoding: ConsoleText.visible(line), as: UTF8.self).lowercased()
    let isOffer = ["any key", "press", "hit", "type", "enter"].contains { text.contains($0) }
    let isStop = ["stop", "abort", "interrupt"].contains { text.contains($0) }
    if text.contains("autoboot") || text.contains("auto boot") {
      return isOffer && isStop || text.contains(" in ")
    }
    return isOffer && isStop && text.contains("boot")
  }

  /// The keys that a countdown's line asks for; nil when it does not say.
  static func stopKeys(_ line: [UInt8]) -> [UInt8]? {
    let text = String(decoding: ConsoleText.visible(line), as: UTF8.self)
    let words = text.split { !$0.isLetter && !$0.isNumber && $0 != "-" && $0 != "+" && $0 != "^" }
      .map { $0.lowercased() }
    if let quote = text.firstIndex(where: { "'\"<".contains($0) }) {
      let end = text[quote] == "<" ? ">" as Character : text[quote]
      let rest = text[text.index(after: quote)...]
      if let close = rest.firstIndex(of: end) {
        let name = String(rest[..<close])
        if let keys = UBootWatch.key(name.lowercased()) { return keys }
        if !name.isEmpty, name.utf8.count <= 32 { return Array(name.utf8) }
      }
    }
    // Consumed where it stops autoboot, and harmless at a prompt.
    if words.contains("any") { return [32] }
    if let named = words.lazy.compactMap(UBootWatch.key).first { return named }
    // "Press s to stop booting".
    for (index, word) in words.enumerated().dropFirst() where word.utf8.count == 1 {
      guard ["press", "hit", "type", "key"].contains(words[index - 1]) else { continue }
      return text.split { !$0.isLetter && !$0.isNumber }.first { $0.lowercased() == word }
        .map { Array($0.utf8) }
    }
    return text.lowercased().contains("stop autoboot") ? [32] : nil
  }

  /// What a key of this name sends; nil when there is no such key.
  static func key(_ name: String) -> [UInt8]? {
    switch name {
    case "space", "spacebar": return [32]
    case "esc", "escape": return [27]
    case "enter", "return": return [13]
    case "tab": return [9]
    case "del", "delete": return [127]
    default:
      for prefix in ["ctrl-", "ctrl+", "control-", "^"] where name.hasPrefix(prefix) {
        let rest = name.dropFirst(prefix.count).utf8
        guard rest.count == 1, let letter = rest.first, (97...122).contains(letter) else {
          continue
        }
        return [letter & 31]
      }
      return nil
    }
  }
}
