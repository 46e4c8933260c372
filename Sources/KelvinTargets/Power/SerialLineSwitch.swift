internal import CLinux
internal import Glibc
internal import KelvinDevices
public import KelvinModel
internal import Synchronization

/// DTR or RTS of a serial adapter as a power switch or reset line.
///
/// The kernel asserts both lines whenever the port is opened, and adapters lower them when it is
/// closed for the last time unless HUPCL is off, as it is here. So the owner of ports holds the port
/// open, together with the console on it when there is one; where there is no owner, the switch does
/// while it lives. A state is only told while somebody holds it.
public final class SerialLineSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "serial-line", aliases: ["dtr", "rts"],
    summary: "DTR or RTS of a serial adapter: a relay's input, or a board's reset pin.",
    description: """
      Opening the port asserts both lines for a moment: the kernel does that, and nothing can prevent \
      it. With 'on: asserted' a board that is off therefore sees a pulse when Kelvin comes; with \
      'on: released' a board that is on does. As a reset line, 'on: released' is usual: asserting the \
      line holds the board in reset.

      The line holds its state as long as the port stays open, on some adapters also afterwards. The \
      owner of ports holds it open from then on, until 'kelvin bench down', and the console on the \
      same adapter with it, so that Kelvin comes only once.
      """,
    options: SerialPortChoice.options("serial adapter") + [
      OptionDeclaration("line", .choice(["dtr", "rts"]), default: "dtr", "Which line."),
      OptionDeclaration(
        "on", .choice(["asserted", "released"]), default: "asserted", isDetail: true,
        "The line's state for a board that is on, or not held in reset.")
    ], verified: "an emulated 16550 in loop-back mode, Linux 6.1")

  public var holdsLine: Bool { held.withLock { $0 != nil } }

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
    let wanted = (state == .on) == onIsAsserted
    let (path, seen) =
      if let kept = try drive(wanted, powers: state == .on, deadline) {
        kept
      } else {
        try setHere(wanted, deadline)
      }
    guard seen == wanted else {
      throw PowerFailure(
        .infrastructure,
        "\(path): \(name) was \(wanted ? "asserted" : "released") and did not follow",
        hint: "the adapter's driver may not support this line")
    }
  }

  private func setHere(
    _ wanted: Bool, _ deadline: Deadline
  ) throws(PowerFailure) -> (path: String, seen: Bool?) {
    let line = try open(deadline)
    guard kelvin_tty_set_lines(line.descriptor, mask, wanted ? 1 : 0) == 0 else {
      throw noLines(line)
    }
    let lines = kelvin_tty_lines(line.descriptor)
    guard lines >= 0 else { throw noLines(line) }
    return (line.path, lines & mask != 0)
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    // Opening the port would change what it is to tell.
    guard let line = held.withLock({ $0 }) else {
      let isAsserted = try keptLine(deadline)
      return PowerReading(isAsserted.map { $0 == onIsAsserted ? .on : .off }, .commanded)
    }
    let lines = kelvin_tty_lines(line.descriptor)
    guard lines >= 0 else { throw noLines(line) }
    return PowerReading((lines & mask != 0) == onIsAsserted ? .on : .off, .commanded)
  }

  /// Has the owner of ports drive the line; nil: this process has to.
  private func drive(
    _ wanted: Bool, powers: Bool, _ deadline: Deadline
  ) throws(PowerFailure) -> (path: String, seen: Bool?)? {
    guard let keeper = host.keeper, !holdsLine else { return nil }
    let (path, address) = try address()
    let lines = mask == 2 ? ControlLines(rts: wanted) : ControlLines(dtr: wanted)
    return try host.drive(lines, at: address, with: keeper, powers: powers, deadline).map {
      (path, mask == 2 ? $0.rts : $0.dtr)
    }
  }

  /// Whether the owner of ports holds the line asserted; nil: it does not hold it.
  private func keptLine(_ deadline: Deadline) throws(PowerFailure) -> Bool? {
    guard let keeper = host.keeper else { return nil }
    let (_, address) = try address()
    do throws(OwnerFailure) {
      let lines = try keeper.lines(at: address, until: deadline)
      return mask == 2 ? lines?.rts : lines?.dtr
    } catch { throw PowerFailure(error) }
  }

  /// By the path that stays, for the port is opened again when it comes back.
  private func address() throws(PowerFailure) -> (path: String, PortAddress) {
    let path = try port.resolve(host)
    do throws(OwnerFailure) {
      let address = try ConsoleAddress(serialPort: path, baud: 9600)
      return (path, .console(address))
    } catch { throw PowerFailure(error) }
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
