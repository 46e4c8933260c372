internal import CLinux
internal import Glibc
public import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A GPIO line of this host through the character device (linux/gpio.h, version 2, since 5.10).
///
/// A line's level lasts, for certain, only as long as someone holds it, so it is held while the switch
/// lives. Nothing changes before the first ``set(_:until:)``.
public final class GPIOSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "gpio", summary: "A GPIO line of this host: a relay's input, or a board's reset pin.",
    description: """
      The line is taken as it is, without changing direction or level, until it is switched; then it \
      becomes an output with the wanted level in one step. What is read is the line's level, not the \
      board's supply, so the state is commanded.

      The level lasts as long as the line is held; what a pin does afterwards is up to the chip's \
      driver (most keep it, gpio-sim does not). A line that is held by another program, or by the \
      kernel, is an error that names the holder.
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

  public static let holdsLine = true

  private let chip: String
  private let line: String
  private let isActiveLow: Bool
  private let host: PowerHost
  private let held = Mutex<HeldLine?>(nil)

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    chip = try options.required("chip")
    line = try options.required("line")
    isActiveLow = options.flag("active-low")
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let level: Int32 = (state == .on) != isActiveLow ? 1 : 0
    let held: HeldLine
    if let known = self.held.withLock({ $0 }) {
      held = known
      guard kelvin_gpio_set(held.descriptor, level) == 0 else { throw failure(.current) }
    } else {
      held = try take(level: level)
    }
    let seen = kelvin_gpio_get(held.descriptor)
    guard seen >= 0 else { throw failure(.current) }
    guard seen == level else {
      throw PowerFailure(
        .infrastructure, "line '\(line)' of '\(chip)' was set to \(level) and reads \(seen)",
        hint: "does something else drive this pin?")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let held =
      if let known = self.held.withLock({ $0 }) { known } else { try take(level: -1) }
    let level = kelvin_gpio_get(held.descriptor)
    guard level >= 0 else { throw failure(.current) }
    return PowerReading((level == 1) != isActiveLow ? .on : .off, .commanded)
  }

  /// Takes the line, with -1 as it is.
  private func take(level: Int32) throws(PowerFailure) -> HeldLine {
    let (chip, offset) = try find()
    let descriptor = kelvin_gpio_request(chip.descriptor, offset, level, "kelvin")
    guard descriptor >= 0 else {
      let error = Errno.current
      var info = kelvin_gpio_line()
      if error.rawValue == EBUSY, kelvin_gpio_line(chip.descriptor, offset, &info) == 0 {
        throw PowerFailure(
          .infrastructure,
          "line '\(line)' of '\(self.chip)' is held by '\(text(of: info.consumer))'",
          hint: "free it, or choose another line")
      }
      throw failure(error)
    }
    let taken = HeldLine(descriptor: descriptor)
    held.withLock { $0 = taken }
    return taken
  }

  /// The chip by label, name or path, and the line's offset by number or name.
  private func find() throws(PowerFailure) -> (chip: HeldLine, offset: UInt32) {
    var found: (HeldLine, kelvin_gpio_chip)?
    var labels: [String] = []
    var denied: String?
    for name in SmallFile.names(in: host.dev) where name.hasPrefix("gpiochip") {
      let path = host.dev + "/" + name
      let descriptor = kelvin_open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
      guard descriptor >= 0 else {
        if errno == EACCES { denied = path }
        continue
      }
      let open = HeldLine(descriptor: descriptor)
      var info = kelvin_gpio_chip()
      guard kelvin_gpio_chip(descriptor, &info) == 0 else { continue }
      labels.append(text(of: info.label))
      guard [text(of: info.label), text(of: info.name), path].contains(chip) else { continue }
      guard found == nil else {
        throw PowerFailure(
          .configuration, "two GPIO chips are called '\(chip)'", hint: "name one by its path")
      }
      found = (open, info)
    }
    guard let (open, info) = found else {
      if let denied {
        throw PowerFailure(
          .configuration, "\(denied): permission denied",
          hint: "run 'kelvin bench udev --install' or join group gpio")
      }
      throw PowerFailure(
        .configuration, "no GPIO chip is called '\(chip)'",
        hint: labels.isEmpty
          ? "this host has none" : NearestName.hint(for: chip, in: Array(Set(labels)).sorted()))
    }
    return (open, try offset(in: open, lines: info.lines))
  }

  private func offset(in chip: HeldLine, lines: UInt32) throws(PowerFailure) -> UInt32 {
    if let number = UInt32(line) {
      guard number < lines else {
        throw PowerFailure(
          .configuration, "'\(self.chip)' has lines 0 to \(Int(lines) - 1), not \(number)")
      }
      return number
    }
    var names: [String] = []
    for offset in 0..<lines {
      var info = kelvin_gpio_line()
      guard kelvin_gpio_line(chip.descriptor, offset, &info) == 0 else { continue }
      let name = text(of: info.name)
      if name == line { return offset }
      if !name.isEmpty { names.append(name) }
    }
    throw PowerFailure(
      .configuration, "'\(self.chip)' has no line called '\(line)'",
      hint: NearestName.hint(for: line, in: names))
  }

  private func failure(_ error: Errno) -> PowerFailure {
    PowerFailure(.infrastructure, "line '\(line)' of '\(chip)': \(error)")
  }

  /// A C string in an array.
  private func text<T>(of field: T) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// A descriptor that closes with its last reference.
  private final class HeldLine: Sendable {
    let descriptor: Int32
    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }
  }
}
