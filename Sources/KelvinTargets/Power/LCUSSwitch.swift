internal import Glibc
internal import KelvinDevices
public import KelvinModel

/// Relay boards of LC Technology (LCUS-1, -2, -4, -8) behind a CH340 serial adapter.
///
/// Protocol, as sellers and users of the boards print it: 9600 baud, 8N1; `A0 n s sum` switches relay
/// n on (s = 1) or off (0), sum being the low byte of the three before; boards acknowledge nothing.
/// `FF` asks for the states: boards with more than one relay answer a line `CHn:ON` or `CHn:OFF` for
/// each, some with spaces; others, LCUS-1 among them, answer nothing.
public final class LCUSSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "lcus", aliases: ["ch340-relay"],
    summary: "A relay of an LCUS board behind a CH340 serial adapter (1a86:7523).",
    description: """
      The board acknowledges nothing. One that answers the query for its states is asked after each \
      switching, and a relay that did not follow is an error; one that stays silent (LCUS-1) leaves \
      the state as commanded, which only Kelvin remembers while it runs.

      Wire the board's supply through the relay's normally open contact, so that a relay without \
      power is a board without power; with 'normally-closed: true' it is the other one.
      """,
    options: SerialPortChoice.options("serial adapter") + [
      .output("relay", of: 1...8),
      OptionDeclaration(
        "normally-closed", .boolean, default: false, isDetail: true,
        "The board is fed through the normally closed contact: an energized relay is off.")
    ], verified: "emulated device only")

  private let port: SerialPortChoice
  private let relay: Int
  private let isInverted: Bool
  private let host: PowerHost
  private let memory = CommandedState()
  /// Boards answer within milliseconds of the bytes' own time.
  private static let answerSeconds = 0.5

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    port = try SerialPortChoice(options)
    relay = options.integer("relay") ?? 1
    guard (1...8).contains(relay) else {
      throw PowerFailure(.configuration, "relay \(relay): boards have 1 to 8")
    }
    isInverted = options.flag("normally-closed")
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let line = try SerialLine(path: port.resolve(host), baud: 9600, until: deadline)
    let isEnergized = (state == .on) != isInverted
    let frame: [UInt8] = [0xA0, UInt8(relay), isEnergized ? 1 : 0]
    try line.write(frame + [frame.reduce(0, &+)], until: deadline)
    memory.value = state
    guard let answer = try query(line, deadline) else { return }
    guard answer == isEnergized else {
      throw PowerFailure(
        .infrastructure,
        "\(line.path): relay \(relay) was switched \(isEnergized ? "on" : "off") and did not follow"
      )
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let line = try SerialLine(path: port.resolve(host), baud: 9600, until: deadline)
    if let answer = try query(line, deadline) {
      return PowerReading(answer != isInverted ? .on : .off, .commanded)
    }
    return PowerReading(memory.value, .commanded)
  }

  /// Whether the relay is energized by the board's own answer; nil when it answers nothing.
  private func query(_ line: SerialLine, _ deadline: Deadline) throws(PowerFailure) -> Bool? {
    line.discardInput()
    try line.write([0xFF], until: deadline)
    let limit = deadline.limited(toSeconds: Self.answerSeconds)
    var answer: [UInt8] = []
    while let more = try line.read(until: limit) {
      answer += more
      if let state = Self.state(of: relay, in: answer) { return state }
      guard answer.count <= 512 else { break }
    }
    if answer.isEmpty { return nil }
    throw PowerFailure(
      .infrastructure, "\(line.path): the answer names no relay \(relay)",
      evidence: Excerpt.of(answer), hint: "is it an LCUS board, with that many relays?")
  }

  /// What a list of states says of a relay; nil when it does not, or not yet.
  package static func state(of relay: Int, in answer: [UInt8]) -> Bool? {
    let text = String(decoding: answer, as: UTF8.self).uppercased().filter { !$0.isWhitespace }
    // Line ends may be missing between relays.
    if text.contains("CH\(relay):OFF") { return false }
    return text.contains("CH\(relay):ON") ? true : nil
  }
}
