internal import CLinux
internal import Glibc

/// An output stream of this process: a terminal or not, with or without colors.
struct Terminal: Sendable {
  let descriptor: Int32
  /// Whether lines may be rewritten.
  let isTerminal: Bool
  /// Off when NO_COLOR is set and not empty (no-color.org), or the stream is no terminal.
  let hasColor: Bool

  static let standardOutput = Terminal(descriptor: 1)
  static let standardError = Terminal(descriptor: 2)

  init(descriptor: Int32) {
    self.descriptor = descriptor
    let terminal = getenv("TERM").map { String(cString: $0) } ?? ""
    isTerminal = isatty(descriptor) == 1 && terminal != "dumb"
    let noColor = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    hasColor = isTerminal && !noColor
  }

  /// Columns; 80 when the stream is no terminal or does not tell.
  var columns: Int {
    let columns = Int(kelvin_terminal_columns(descriptor))
    return columns > 20 ? columns : 80
  }

  /// Writes text and a line end; a reader that has gone is no error.
  func line(_ text: String) { write(text.hasSuffix("\n") ? text : text + "\n") }

  /// Writes text as it is.
  func write(_ text: String) {
    var text = text
    text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
  }

  /// Writes bytes as they are.
  func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

  private func write(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// A stream for long texts, which are never whole in memory.
  var stream: TerminalStream { TerminalStream(terminal: self) }

  enum Color: String { case red = "31", green = "32", yellow = "33", dim = "2", bold = "1" }

  /// The text in a color, or as it is where there are none.
  func paint(_ text: String, _ color: Color) -> String {
    hasColor ? "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m" : text
  }
}

/// Collects text and writes it in large pieces; ``flush()`` writes the rest.
struct TerminalStream: TextOutputStream {
  let terminal: Terminal
  private var pending = ""

  init(terminal: Terminal) { self.terminal = terminal }

  mutating func write(_ text: String) {
    pending += text
    if pending.utf8.count > 65_536 { flush() }
  }

  /// Writes what is pending.
  mutating func flush() {
    terminal.write(pending)
    pending = ""
  }
}
