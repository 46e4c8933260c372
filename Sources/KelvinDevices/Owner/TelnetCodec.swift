/// Telnet's end of a byte stream (RFC 854, options RFC 855): takes commands out of what is received,
/// and escapes what is sent.
///
/// It asks for binary (RFC 856) and for suppressed go-ahead (RFC 858) in both directions, lets the
/// other side echo (RFC 857), offers COM-PORT (RFC 2217) where it was made for that, and refuses
/// everything else. As long as the other side has not refused
/// binary the stream is taken as binary, as console servers mean it: a CR is a CR. After a refusal the
/// NUL behind a CR is added and removed, as RFC 854 has it. Negotiation cannot loop: an answer is only
/// given where it changes something or refuses (RFC 1143), and what is to be sent is bounded.
struct TelnetCodec: Sendable {
  private enum State { case data, command, option(UInt8), subnegotiation, subcommand }

  static let sb: UInt8 = 250
  static let will: UInt8 = 251
  static let wont: UInt8 = 252
  static let `do`: UInt8 = 253
  static let dont: UInt8 = 254
  static let iac: UInt8 = 255
  static let se: UInt8 = 240
  private static let breakCommand: UInt8 = 243

  private static let binary: UInt8 = 0
  private static let echo: UInt8 = 1
  private static let suppressGoAhead: UInt8 = 3
  /// More answers than that wait only when the other side floods us and does not read.
  private static let replyLimit = 4096
  /// What is longer is of no interest: commands of RFC 2217 have seven bytes at most.
  private static let messageLimit = 64

  private var state = State.data
  private var isAfterCR = false
  /// What we agreed to, or asked for and were not refused.
  private var remoteDoes: Set<UInt8> = [binary, suppressGoAhead]
  private var localDoes: Set<UInt8> = [binary, suppressGoAhead]

  /// Negotiation to be sent; whoever sends takes it.
  private(set) var replies: [UInt8] = [
    iac, `do`, binary, iac, will, binary, iac, `do`, suppressGoAhead, iac, will, suppressGoAhead
  ]

  /// The serial port behind the stream; nil: nothing is known of one.
  private(set) var comPort: ComPort?
  /// The subnegotiation that is being received, up to one byte beyond the limit.
  private var message: [UInt8] = []

  /// Creates a codec at the beginning of its stream.
  ///
  /// - Parameter baud: bits a second of the serial port that is served by RFC 2217; nil: telnet only.
  init(baud: UInt32? = nil) {
    guard let baud else { return }
    comPort = ComPort(baud: baud)
    replies += [TelnetCodec.iac, TelnetCodec.will, ComPort.option]
  }

  mutating func takeReplies() -> [UInt8] {
    defer { replies = [] }
    return replies
  }

  /// Takes what was received and appends its data.
  mutating func decode(_ received: UnsafeRawBufferPointer, into data: inout [UInt8]) {
    for byte in received {
      switch state {
      case .data:
        if byte == TelnetCodec.iac {
          state = .command
        } else if isAfterCR, byte == 0, !remoteDoes.contains(TelnetCodec.binary) {
          isAfterCR = false
        } else {
          isAfterCR = byte == 13
          data.append(byte)
        }
      case .command:
        switch byte {
        case TelnetCodec.iac:
          isAfterCR = false
          data.append(byte)
          state = .data
        case TelnetCodec.will...TelnetCodec.dont: state = .option(byte)
        case TelnetCodec.sb: beginMessage()
        default: state = .data
        }
      case .option(let command):
        state = .data
        negotiate(command, byte)
      case .subnegotiation:
        if byte == TelnetCodec.iac { state = .subcommand } else { collect(byte) }
      case .subcommand: takeSubcommand(byte)
      }
    }
  }

  private mutating func beginMessage() {
    message.removeAll(keepingCapacity: true)
    state = .subnegotiation
  }

  private mutating func collect(_ byte: UInt8) {
    if comPort != nil, message.count <= TelnetCodec.messageLimit { message.append(byte) }
  }

  /// What stands behind a 255 within a subnegotiation.
  private mutating func takeSubcommand(_ byte: UInt8) {
    switch byte {
    case TelnetCodec.iac:
      collect(byte)
      state = .subnegotiation
    // A command in the middle: the end was left out, and what came before it is not trusted.
    case TelnetCodec.will...TelnetCodec.dont: state = .option(byte)
    case TelnetCodec.sb: beginMessage()
    default:
      if byte == TelnetCodec.se, message.count <= TelnetCodec.messageLimit {
        comPort?.take(message)
      }
      state = .data
    }
  }

  private mutating func negotiate(_ command: UInt8, _ option: UInt8) {
    switch command {
    case TelnetCodec.will:
      if option == TelnetCodec.echo {
        if remoteDoes.insert(option).inserted { reply(TelnetCodec.do, option) }
      } else if option == TelnetCodec.binary || option == TelnetCodec.suppressGoAhead {
        if remoteDoes.insert(option).inserted { reply(TelnetCodec.do, option) }
      } else {
        reply(TelnetCodec.dont, option)
      }
    case TelnetCodec.wont:
      if remoteDoes.remove(option) != nil { reply(TelnetCodec.dont, option) }
    case TelnetCodec.do:
      if option == ComPort.option, comPort != nil {
        queue(comPort?.take(isWanted: true) ?? [])
      } else if option == TelnetCodec.binary || option == TelnetCodec.suppressGoAhead {
        if localDoes.insert(option).inserted { reply(TelnetCodec.will, option) }
      } else {
        reply(TelnetCodec.wont, option)
      }
    default:
      if option == ComPort.option { _ = comPort?.take(isWanted: false) }
      if localDoes.remove(option) != nil { reply(TelnetCodec.wont, option) }
    }
  }

  private mutating func reply(_ command: UInt8, _ option: UInt8) {
    queue([TelnetCodec.iac, command, option])
  }

  private mutating func queue(_ bytes: [UInt8]) {
    guard replies.count < TelnetCodec.replyLimit else { return }
    replies += bytes
  }

  /// Asks for lines of the serial port to be set; ``ComPort/lines`` has the answers.
  mutating func set(_ lines: ControlLines) { replies += comPort?.set(lines) ?? [] }

  /// Begins or ends a break of the serial port.
  mutating func setBreak(_ isOn: Bool) { replies += ComPort.message(isOn ? .breakOn : .breakOff) }

  /// What goes over the wire for these bytes.
  func encode(_ data: some Sequence<UInt8>) -> [UInt8] {
    let stuffsNUL = !localDoes.contains(TelnetCodec.binary)
    var encoded: [UInt8] = []
    for byte in data {
      encoded.append(byte)
      if byte == TelnetCodec.iac { encoded.append(byte) }
      if byte == 13, stuffsNUL { encoded.append(0) }
    }
    return encoded
  }

  /// Asks the other side to send a break.
  static let breakSequence: [UInt8] = [iac, breakCommand]
}
