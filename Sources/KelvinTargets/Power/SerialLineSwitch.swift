internal import CLinux
internal import Glibc
public import KelvinModel
internal import Synchronization

/// DTR or RTS of a serial adapter as a power switch or reset line.
///
/// The kernel asserts both lines whenever the port is opened, and adapters lower them when it is
/// closed for the last time unless HUPCL is off, as it is here. So the port stays open while the
/// switch lives, and a state is only told while it is.
public final class SerialLineSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "serial-line", aliases: ["dtr", "rts"],
    summary: "DTR or RTS of a serial adapter: a relay's input, or a board's reset pin.",
    description: """
      Opening the port asserts both lines for a moment: the kernel does that, and nothing can prevent \
      it. With 'on: asserted' a board that is off therefore sees a pulse when Kelvin comes; with \
      'on: released' a board that is on does. As a reset line, 'on: released' is usual: asserting the \
      line holds the board in reset.

      The line holds its state only as long as the port stays open, on some adapters also afterwards. \
      A console on the same adapter cannot be used at the same time.
      """,
    options: SerialPortChoice.options("serial adapter") + [
      OptionDeclaration("line", .choice(["dtr", "rts"]), default: "dtr", "Which line."),
      OptionDeclaration(
        "on", .choice(["asserted", "released"]), default: "asserted", isDetail: true,
        "The line's state for a board that is on, or not held in reset.")
    ], verified: "an emulated 16550 in loop-back mode, Linux 6.1")

  public static let holdsLine = true

  private let port: SerialPortChoice
  private let mask: Int32
  private let name: String
  private let onIsAsserted: Bool
  private let host: PowerHost
  private let held = Mutex<SerialLine?>(nil)

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    port = try SerialPortChoice(options)
    name = (options.text("line") ?? "dtr").uppercased()
    mask = name == "RTS" ? 2 : 1
    onIsAsserted = options.text("on") != "released"
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let line = try open(deadline)
    let wanted = (state == .on) == onIsAsserted
    guard kelvin_tty_set_lines(line.descriptor, mask, wanted ? 1 : 0) == 0 else {
      throw noLines(line)
    }
    let lines = kelvin_tty_lines(line.descriptor)
    guard lines >= 0 else { throw noLines(line) }
    guard (lines & mask != 0) == wanted else {
      throw PowerFailure(
        .infrastructure,
        "\(line.path): \(name) was \(wanted ? "asserted" : "released") and did not follow",
        hint: "the adapter's driver may not support this line")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    // Opening the port would change what it is to tell.
    guard let line = held.withLock({ $0 }) else { return PowerReading(nil, .commanded) }
    let lines = kelvin_tty_lines(line.descriptor)
    guard lines >= 0 else { throw noLines(line) }
    return PowerReading((lines & mask != 0) == onIsAsserted ? .on : .off, .commanded)
  }

  private func open(_ deadline: Deadline) throws(PowerFailure) -> SerialLine {
    if let line = held.withLock({ $0 }) { return line }
    let line = try SerialLine(path: port.resolve(host), baud: 9600, until: deadline)
    held.withLock { $0 = line }
    return line
  }

  private func noLines(_ line: SerialLine) -> PowerFailure {
    let error = Errno.current
    held.withLock { $0 = nil }
    let isMissing = error.rawValue == ENOTTY || error.rawValue == EINVAL
    return PowerFailure(
      isMissing ? .configuration : .infrastructure,
      "\(line.path): " + (isMissing ? "this port has no \(name) line" : "\(error)"),
      hint: isMissing ? "use an adapter that has one" : "was it unplugged?")
  }
}
