internal import KelvinDevices
public import KelvinModel
internal import Synchronization

/// A GPIO line of this host through the character device (linux/gpio.h, version 2, since 5.10).
///
/// A line's level lasts, for certain, only as long as someone holds it: the owner of ports does, and
/// where there is none, the switch while it lives. Nothing changes before the first ``set(_:until:)``.
public final class GPIOSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "gpio", summary: "A GPIO line of this host: a relay's input, or a board's reset pin.",
    description: """
      The line is taken as it is, without changing direction or level, until it is switched; then it \
      becomes an output with the wanted level in one step. What is read is the line's level, not the \
      board's supply, so the state is commanded.

      The level lasts as long as the line is held, which the owner of ports does from then on, until \
      'kelvin bench down'; what a pin does afterwards is up to the chip's driver (most keep it, \
      gpio-sim does not). A line that is held by another program, or by the kernel, is an error that \
      names the holder.
      """,
    options: [
      OptionDeclaration(
        "chip", .text, required: true,
        "The chip's label, as 'gpiodetect' prints it in brackets; its name (gpiochip0) or path also "
          + "works, but may change at the next boot."),
      OptionDeclaration(
        "line", .text, required: true, "The line's name, or its number on the chip."),
      OptionDeclaration(
        "active-low", .boolean, default: false, isDetail: true, "A low level is on.")
    ], verified: "gpio-sim of Linux 6.1")

  public var holdsLine: Bool { held.withLock { $0 != nil } }

  private let chip: String
  private let line: String
  private let isActiveLow: Bool
  private let host: PowerHost
  private let held = Mutex<GPIOLine?>(nil)

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    chip = try options.required("chip")
    line = try options.required("line")
    isActiveLow = options.flag("active-low")
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let level = (state == .on) != isActiveLow
    let seen: Bool
    if let lines = try drive(level, powers: state == .on, deadline) {
      guard let read = lines.level else { throw failure("its level cannot be read") }
      seen = read
    } else {
      let line = if let known = held.withLock({ $0 }) { known } else { try take() }
      held.withLock { $0 = line }
      do throws(Errno) {
        try line.set(level)
        seen = try line.level()
      } catch { throw failure("\(error)") }
    }
    guard seen == level else {
      throw PowerFailure(
        .infrastructure,
        "line '\(line)' of '\(chip)' was set to \(level ? 1 : 0) and reads \(seen ? 1 : 0)",
        hint: "does something else drive this pin?")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let level: Bool
    if let kept = try keptLevel(deadline) {
      level = kept
    } else {
      // A line that is only read is not held on: the owner could not take it then.
      let line = if let known = held.withLock({ $0 }) { known } else { try take() }
      do throws(Errno) { level = try line.level() } catch { throw failure("\(error)") }
    }
    return PowerReading(level != isActiveLow ? .on : .off, .commanded)
  }

  /// Has the owner of ports drive the line; nil: this process has to.
  private func drive(
    _ level: Bool, powers: Bool, _ deadline: Deadline
  ) throws(PowerFailure) -> ControlLines? {
    guard let keeper = host.keeper, !holdsLine else { return nil }
    return try host.drive(
      ControlLines(level: level), at: try address(), with: keeper, powers: powers, deadline)
  }

  /// The level that the owner of ports holds; nil: it holds none.
  private func keptLevel(_ deadline: Deadline) throws(PowerFailure) -> Bool? {
    guard let keeper = host.keeper, !holdsLine else { return nil }
    let address = try address()
    do throws(OwnerFailure) {
      return try keeper.lines(at: address, until: deadline)?.level
    } catch { throw PowerFailure(error) }
  }

  private func address() throws(PowerFailure) -> PortAddress {
    let (chip, offset) = try find()
    return .gpio(chip: chip.identity, line: offset)
  }

  /// Takes the line as it is.
  private func take() throws(PowerFailure) -> GPIOLine {
    let (chip, offset) = try find()
    do throws(DeviceFailure) {
      return try chip.take(offset, as: "kelvin")
    } catch {
      throw PowerFailure(
        .infrastructure, "line '\(line)' of '\(self.chip)' \(error.message)", hint: error.hint)
    }
  }

  /// The chip by label, name or path, and the line's offset by number or name.
  private func find() throws(PowerFailure) -> (chip: GPIOChip, offset: UInt32) {
    do throws(DeviceFailure) {
      let chip = try GPIOChip(self.chip, dev: host.dev)
      return (chip, try chip.offset(of: line))
    } catch {
      // What stands in the bench file is not there.
      throw PowerFailure(.configuration, error.message, hint: error.hint)
    }
  }

  private func failure(_ text: String) -> PowerFailure {
    PowerFailure(.infrastructure, "line '\(line)' of '\(chip)': \(text)")
  }
}
