/// The client's end of telnet's COM-PORT option (RFC 2217): settings, lines and breaks of a serial port
/// that another machine serves. ``TelnetCodec`` carries it.
///
/// Not every server answers every command: ser2net says nothing to DTR where its port has none. So
/// whoever waits for an answer has a deadline.
struct ComPort: Sendable {
  /// Telnet's number of the option, and the codes of its commands (RFC 2217, section 3); the server's
  /// answers are greater by 100.
  static let option: UInt8 = 44
  static let answerOffset: UInt8 = 100

  /// A client's commands.
  enum Command: UInt8, Sendable {
    case setBaudRate = 1
    case setDataSize, setParity, setStopSize, setControl, notifyLineState, notifyModemState
    case suspend, resume
  }

  /// Values of ``Command/setControl``.
  enum Control: UInt8, Sendable {
    case noFlowControl = 1
    case breakOn = 5
    case breakOff
    case queryDTR, assertDTR, releaseDTR
    case queryRTS, assertRTS, releaseRTS
  }

  /// Whether the other side takes commands.
  enum Agreement: Sendable { case asked, agreed, refused }

  /// Bits a second that are asked for.
  let baud: UInt32
  private(set) var agreement = Agreement.asked
  /// The rate by the server's own answer; nil: it gave none. 0: it does not know.
  private(set) var servedBaud: UInt32?
  /// DTR and RTS by the server's answers; nil: it gave none.
  private(set) var lines = ControlLines()
  /// The server wants nothing to be sent for now.
  private(set) var isSuspended = false
  /// What the server last told of carrier, RI, DSR and CTS (bits 7 to 4, changes in 3 to 0), and of
  /// errors and breaks that the line saw.
  private(set) var modemState: UInt8?
  private(set) var lineState: UInt8?

  init(baud: UInt32) { self.baud = baud }

  /// Takes the other side's DO or DONT.
  ///
  /// - Returns: what is to be sent: at the first DO the port's settings, else nothing.
  mutating func take(isWanted: Bool) -> [UInt8] {
    guard isWanted else {
      agreement = .refused
      return []
    }
    guard agreement == .asked else { return [] }
    agreement = .agreed
    let rate = stride(from: 24, through: 0, by: -8).map {
      UInt8(truncatingIfNeeded: baud >> UInt32($0))
    }
    // 8 data bits, no parity, 1 stop bit, no flow control; what the lines are is only asked.
    return ComPort.message(.setBaudRate, rate) + ComPort.message(.setDataSize, [8])
      + ComPort.message(.setParity, [1]) + ComPort.message(.setStopSize, [1])
      + ComPort.message(.noFlowControl) + ComPort.message(.queryDTR) + ComPort.message(.queryRTS)
  }

  /// Takes what a subnegotiation held, option included; what is not understood is passed over.
  mutating func take(_ message: some Collection<UInt8>) {
    let bytes = Array(message)
    guard agreement == .agreed, bytes.count >= 2, bytes[0] == ComPort.option,
      bytes[1] >= ComPort.answerOffset,
      let command = Command(rawValue: bytes[1] - ComPort.answerOffset)
    else { return }
    let values = bytes[2...]
    switch command {
    case .setBaudRate where values.count == 4:
      servedBaud = values.reduce(0) { $0 << 8 | UInt32($1) }
    case .setControl where values.count == 1: take(control: values[2])
    case .notifyLineState where values.count == 1: lineState = values[2]
    case .notifyModemState where values.count == 1: modemState = values[2]
    case .suspend: isSuspended = true
    case .resume: isSuspended = false
    default: break
    }
  }

  private mutating func take(control: UInt8) {
    switch Control(rawValue: control) {
    case .assertDTR: lines.dtr = true
    case .releaseDTR: lines.dtr = false
    case .assertRTS: lines.rts = true
    case .releaseRTS: lines.rts = false
    default: break
    }
  }

  /// What sets lines; their answers are awaited anew.
  mutating func set(_ wanted: ControlLines) -> [UInt8] {
    var bytes: [UInt8] = []
    if let dtr = wanted.dtr {
      lines.dtr = nil
      bytes += ComPort.message(dtr ? .assertDTR : .releaseDTR)
    }
    if let rts = wanted.rts {
      lines.rts = nil
      bytes += ComPort.message(rts ? .assertRTS : .releaseRTS)
    }
    return bytes
  }

  /// Whether the rate that the server answered is the one that was asked for, as far as a divider
  /// comes near it: a UART samples rightly up to about 3 %.
  var hasWantedRate: Bool {
    guard let servedBaud, servedBaud > 0 else { return true }
    return abs(Int64(servedBaud) - Int64(baud)) * 100 <= Int64(baud) * 3
  }

  static func message(_ control: Control) -> [UInt8] { message(.setControl, [control.rawValue]) }

  /// `IAC SB 44 COMMAND VALUES IAC SE`; a 255 among the values is sent twice.
  static func message(_ command: Command, _ values: [UInt8]) -> [UInt8] {
    let escaped = values.flatMap { $0 == TelnetCodec.iac ? [$0, $0] : [$0] }
    return [TelnetCodec.iac, TelnetCodec.sb, option, command.rawValue] + escaped
      + [TelnetCodec.iac, TelnetCodec.se]
  }
}
