import CLinux
import Glibc
import KelvinModel
import KelvinSystem
import KelvinTargets
import Testing

/// Lines of this host: GPIO of a gpio-sim chip, and the modem lines of a UART in loop-back mode. Both
/// need hardware that only the bench host has.
@Suite(.timeLimit(.minutes(1)))
struct PowerLineTests {
  /// A gpio-sim chip as the bench host makes it, with one line called `power-en`.
  struct SimulatedChip: Sendable {
    let label: String
    /// Where the chip shows what its lines are driven to.
    let lines: String
    let offset: Int

    static let first: SimulatedChip? = {
      let root = "/sys/devices/platform"
      for device in SmallFile.names(in: root) where device.hasPrefix("gpio-sim") {
        for chip in SmallFile.names(in: "\(root)/\(device)") where chip.hasPrefix("gpiochip") {
          let directory = "\(root)/\(device)/\(chip)"
          let names = SmallFile.names(in: directory).filter { $0.hasPrefix("sim_gpio") }
          guard names.count >= 4 else { continue }
          return SimulatedChip(
            label: SmallFile.text("\(directory)/label") ?? chip, lines: directory, offset: 2)
        }
      }
      return nil
    }()

    /// What the line is driven to: seen from the other end.
    var value: String? { SmallFile.text("\(lines)/sim_gpio\(offset)/value") }
  }

  @Test(.enabled(if: SimulatedChip.first != nil, "needs a gpio-sim chip: runs in the bench host"))
  func drivesAGPIOLine() async throws {
    let chip = try #require(SimulatedChip.first)
    for isActiveLow in [false, true] {
      // A line that is read is left as it is.
      let before = chip.value
      let power = try makeSwitch(
        GPIOSwitch.self,
        [
          "chip": .text(chip.lines.split(separator: "/").last.map(String.init) ?? ""),
          "line": .text("\(chip.offset)"), "active-low": .boolean(isActiveLow)
        ])
      _ = try await power.state(until: soon)
      #expect(chip.value == before)
      try await power.set(.on, until: soon)
      #expect(chip.value == (isActiveLow ? "0" : "1"))
      #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
      try await power.set(.off, until: soon)
      #expect(chip.value == (isActiveLow ? "1" : "0"))
      #expect(try await power.state(until: soon) == PowerReading(.off, .commanded))
      // A second user is told who holds it.
      let other = try makeSwitch(
        GPIOSwitch.self,
        [
          "chip": .text(chip.lines.split(separator: "/").last.map(String.init) ?? ""),
          "line": .text("\(chip.offset)")
        ])
      let failure = await failure { try await other.set(.on, until: soon) }
      #expect(failure?.message.hasSuffix("is held by 'kelvin'") == true)
    }
  }

  @Test func saysThatThereIsNoChip() async throws {
    let directory = try Directory()
    let power = try makeSwitch(
      GPIOSwitch.self, ["chip": "pinctrl", "line": "3"], host: PowerHost(dev: directory.path))
    var failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.description == "no GPIO chip is called 'pinctrl'; this host has none")
    #expect(failure?.kind == .configuration)
    // A file that is no chip is passed over.
    try directory.write("gpiochip0", "")
    failure = await KelvinTargetsTests.failure { _ = try await power.state(until: soon) }
    #expect(failure?.message == "no GPIO chip is called 'pinctrl'")
  }

  /// A second 16550, which loops its modem lines back when asked; not the console's.
  static let uart = "/dev/ttyS1"
  static let hasUART =
    access(uart, R_OK | W_OK) == 0 && SmallFile.text("/sys/class/tty/ttyS1/type") == "4"

  @Test(
    .enabled(if: hasUART, "needs a second UART, \(uart): runs in the bench host"),
    arguments: [("dtr", "asserted"), ("rts", "asserted"), ("dtr", "released")])
  func drivesAModemLine(line: String, on: String) async throws {
    // Opened first: the driver's exclusive use comes after it.
    let observer = kelvin_open(Self.uart, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    defer { close(observer) }
    #expect(kelvin_tty_loop_lines(observer, 1) == 0)
    defer { _ = kelvin_tty_loop_lines(observer, 0) }
    let power = try makeSwitch(
      SerialLineSwitch.self, ["path": .text(Self.uart), "line": .text(line), "on": .text(on)])
    #expect(try await power.state(until: soon) == PowerReading(nil, .commanded))
    for state in [PowerState.on, .off, .on] {
      try await power.set(state, until: soon)
      #expect(try await power.state(until: soon) == PowerReading(state, .commanded))
      // In the loop, DTR comes back as DSR and RTS as CTS.
      let seen = kelvin_tty_looped_lines(observer)
      #expect(((seen & (line == "dtr" ? 1 : 2)) != 0) == ((state == .on) == (on == "asserted")))
    }
  }
}
