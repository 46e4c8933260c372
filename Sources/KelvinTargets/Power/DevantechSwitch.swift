internal import Glibc
internal import KelvinDevices
public import KelvinModel

/// Relay modules of Devantech with USB: USB-RLY02, -RLY08, -RLY16, -RLY82, -OPTO-RLY88 and kin.
///
/// Protocol, from their data sheets: bytes over a CDC ACM port whose rate does not matter. `5A` asks
/// for the module's id and version, `5B` for the relays as one byte; `64 + n` switches relay n on,
/// `6E + n` off, without an answer.
public final class DevantechSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "devantech", aliases: ["usb-rly"],
    summary: "A relay of a Devantech USB-RLY module (04d8:ffee).",
    description: """
      The module's id is asked first, so that bytes never go to another device on this port; after \
      switching, the relays are read back, and one that did not follow is an error. What is read is \
      what drives the coil, so the state is commanded.

      Wire the board's supply through the relay's normally open contact; with 'normally-closed: true' \
      it is the other one.
      """,
    options: SerialPortChoice.options("module") + [
      .output("relay", of: 1...8),
      OptionDeclaration(
        "normally-closed", .boolean, default: false, isDetail: true,
        "The board is fed through the normally closed contact: an energized relay is off.")
    ], verified: "emulated device only")

  private let port: SerialPortChoice
  private let relay: Int
  private let isInverted: Bool
  private let host: PowerHost
  private static let answerSeconds = 1.0
  /// Modules by id, with their number of relays (data sheets: 8 USB-RLY08, 9 USB-RLY16,
  /// 10 USB-RLY02, 15 USB-RLY16L). Ids that are not listed may have eight.
  private static let relays: [UInt8: (name: String, count: Int)] = [
    8: ("USB-RLY08", 8), 9: ("USB-RLY16", 8), 10: ("USB-RLY02", 2), 15: ("USB-RLY16L", 8)
  ]

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    port = try SerialPortChoice(options)
    relay = options.integer("relay") ?? 1
    guard (1...8).contains(relay) else {
      throw PowerFailure(.configuration, "relay \(relay): modules have 1 to 8")
    }
    isInverted = options.flag("normally-closed")
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let line = try open(deadline)
    let isEnergized = (state == .on) != isInverted
    try line.write([(isEnergized ? 0x64 : 0x6E) + UInt8(relay)], until: deadline)
    guard try isOn(line, deadline) == isEnergized else {
      throw PowerFailure(
        .infrastructure,
        "\(line.path): relay \(relay) was switched \(isEnergized ? "on" : "off") and did not follow"
      )
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let line = try open(deadline)
    return PowerReading(try isOn(line, deadline) != isInverted ? .on : .off, .commanded)
  }

  /// Opens the port and makes sure that a module answers on it.
  private func open(_ deadline: Deadline) throws(PowerFailure) -> SerialLine {
    let line = try SerialLine(path: port.resolve(host), baud: 9600, until: deadline)
    let answer = try ask(line, 0x5A, count: 2, deadline)
    guard answer[0] != 0, answer[0] < 128 else {
      throw PowerFailure(
        .infrastructure, "\(line.path): this is no Devantech module",
        evidence: "id and version: \(Excerpt.hex(answer))")
    }
    if let module = Self.relays[answer[0]], relay > module.count {
      throw PowerFailure(
        .configuration, "\(line.path): a \(module.name) has \(module.count) relays, not \(relay)")
    }
    return line
  }

  private func isOn(_ line: SerialLine, _ deadline: Deadline) throws(PowerFailure) -> Bool {
    try ask(line, 0x5B, count: 1, deadline)[0] & (1 << UInt8(relay - 1)) != 0
  }

  private func ask(
    _ line: SerialLine, _ command: UInt8, count: Int, _ deadline: Deadline
  ) throws(PowerFailure) -> [UInt8] {
    line.discardInput()
    try line.write([command], until: deadline)
    let answer = try line.read(
      count: count, until: deadline.limited(toSeconds: Self.answerSeconds))
    guard answer.count == count else {
      throw PowerFailure(
        answer.count < count ? .timeout : .infrastructure,
        "\(line.path): asked for \(count) byte\(count == 1 ? "" : "s"), got \(answer.count)",
        evidence: Excerpt.hex(answer), hint: "is it a Devantech module?")
    }
    return answer
  }
}
