public import KelvinModel

/// How a terminal of this machine is given to a target's login shell.
public enum TargetTerminal: Sendable {
  /// By a command of this machine, which inherits the terminal.
  case program([String])
  /// By moving bytes to and from a pseudo terminal of the target.
  case relayed(any RelayedTerminal)
}

/// A shell on a pseudo terminal of a target, to be used once.
public protocol RelayedTerminal: Sendable {
  /// Moves bytes until the shell ends or the user leaves. Blocks the calling thread.
  ///
  /// - Throws: `connectionLost` when the link ends and the shell's end is not known; `interrupted`.
  func run(
    on terminal: UserTerminal, until deadline: Deadline
  ) throws(ConnectionFailure) -> TerminalEnd
}

/// How the use of a terminal ended.
public enum TerminalEnd: Sendable, Hashable {
  /// The shell's own exit status.
  case exited(Int32)
  /// The user left by the escape sequence.
  case left
}

/// Rows and columns of a terminal, in characters.
public struct TerminalSize: Sendable, Hashable {
  public var rows: Int
  public var columns: Int

  /// Creates a size.
  public init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
  }
}

/// The terminal of this process, which is raw by now, or what stands in for one.
public struct UserTerminal: Sendable {
  /// Descriptors of this process; they are not closed.
  public var input: Int32
  public var output: Int32
  public var error: Int32
  /// Whether input and output are a terminal; without one the target gives none either.
  public var isTerminal: Bool
  /// Its size now; nil where it has none.
  public var size: @Sendable () -> TerminalSize?
  /// Readable when the size may have changed, and read here; -1 for none.
  public var resized: Int32
  /// TERM for the target.
  public var type: String
  /// What, at the begin of a line and followed by a dot, leaves; twice, it is sent once. As for ssh and
  /// adb. Nil for none.
  public var escape: UInt8?

  /// Describes a terminal.
  public init(
    input: Int32, output: Int32, error: Int32, isTerminal: Bool,
    size: @escaping @Sendable () -> TerminalSize?, resized: Int32 = -1, type: String = "xterm",
    escape: UInt8? = UInt8(ascii: "~")
  ) {
    self.input = input
    self.output = output
    self.error = error
    self.isTerminal = isTerminal
    self.size = size
    self.resized = resized
    self.type = type
    self.escape = escape
  }
}

/// Finds the escape sequence in what is typed.
struct TerminalEscape {
  private let character: UInt8?
  private enum State { case lineStart, inLine, escaped }
  private var state = State.lineStart

  /// - Parameter character: nil finds nothing.
  init(_ character: UInt8?) { self.character = character }

  /// Takes typed bytes.
  ///
  /// - Returns: what is to be sent, and whether the user leaves after that.
  mutating func take(_ bytes: some Sequence<UInt8>) -> (bytes: [UInt8], leaves: Bool) {
    var sent: [UInt8] = []
    for byte in bytes {
      switch state {
      case .lineStart where byte == character:
        state = .escaped
        continue
      case .escaped:
        if byte == UInt8(ascii: ".") { return (sent, true) }
        if let character, byte != character { sent.append(character) }
      default: break
      }
      sent.append(byte)
      state = byte == 13 || byte == 10 ? .lineStart : .inLine
    }
    return (sent, false)
  }
}
