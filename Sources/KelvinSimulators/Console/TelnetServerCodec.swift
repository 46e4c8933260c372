/// The serving side of telnet (RFC 854) for a console: bytes as they are in both directions (RFC 856),
/// no echo of the client's own (RFC 857), no go-ahead (RFC 858). Pure.
struct TelnetServerCodec {
  private static let (se, sb, will, wont, `do`, dont, iac):
    (
      UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
    ) = (240, 250, 251, 252, 253, 254, 255)
  private static let (binary, echo, goAhead): (UInt8, UInt8, UInt8) = (0, 1, 3)

  /// What is said first: WILL ECHO, WILL and DO go-ahead and binary.
  static let greeting: [UInt8] = [
    iac, will, echo, iac, will, goAhead, iac, `do`, goAhead, iac, will, binary, iac, `do`, binary
  ]

  private enum State { case data, command, option(UInt8), sub, subCommand }
  private var state = State.data
  private var hasCarriageReturn = false
  /// Whether the client sends bytes as they are; before, a CR is followed by LF or NUL.
  private var isBinary = false

  /// Doubles what would be taken for a command.
  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(iac) else { return bytes }
    return bytes.flatMap { $0 == iac ? [iac, iac] : [$0] }
  }

  /// - Returns: what the client typed, and what is to be answered.
  mutating func decode(_ bytes: [UInt8]) -> (data: [UInt8], answer: [UInt8]) {
    var data: [UInt8] = []
    var answer: [UInt8] = []
    for byte in bytes {
      switch state {
      case .data:
        if byte == Self.iac {
          state = .command
        } else if hasCarriageReturn, byte == 0 || byte == 10 {
          hasCarriageReturn = false
        } else {
          hasCarriageReturn = byte == 13 && !isBinary
          data.append(byte)
        }
      case .command:
        state = .data
        switch byte {
        case Self.iac: data.append(byte)
        case Self.sb: state = .sub
        case Self.will, Self.wont, Self.do, Self.dont: state = .option(byte)
        default: break
        }
      case .option(let verb):
        state = .data
        answer += negotiate(verb, byte)
      case .sub: if byte == Self.iac { state = .subCommand }
      case .subCommand: state = byte == Self.se ? .data : .sub
      }
    }
    return (data, answer)
  }

  /// What was offered is agreed upon without a word; everything else is refused.
  private mutating func negotiate(_ verb: UInt8, _ option: UInt8) -> [UInt8] {
    if option == Self.binary, verb == Self.will || verb == Self.wont {
      isBinary = verb == Self.will
    }
    let isKnown = [Self.binary, Self.goAhead].contains(option)
    switch verb {
    case Self.will where !isKnown: return [Self.iac, Self.dont, option]
    case Self.do where !isKnown && option != Self.echo: return [Self.iac, Self.wont, option]
    default: return []
    }
  }
}
