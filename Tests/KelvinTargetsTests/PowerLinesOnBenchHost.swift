import CLinux
import Glibc
import KelvinModel
import KelvinSystem
import KelvinTargets
import Testing

/// Lines of this host: GPIO of a gpio-sim chip, and the modem lines of a UART in loop-back mode. The
/// bench host has both.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct PowerLinesOnBenchHost {
  /// A chip of the kernel's gpio-sim: eight lines, one of which has a name.
  final class SimulatedChip: Sendable {
    static let root = "/sys/kernel/config/gpio-sim"
    static let exists = access(root, W_OK) == 0
    let label = "kelvin-power"
    private let folder: String
    /// Where the chip shows what its lines are driven to.
    private let lines: String

    init() throws {
      folder = "\(Self.root)/kelvin-power-\(getpid())"
      for directory in ["", "/bank0", "/bank0/line2"] { mkdir(folder + directory, 0o755) }
      try SmallFile.write("8", to: folder + "/bank0/num_lines")
      try SmallFile.write(label, to: folder + "/bank0/label")
      try SmallFile.write("power-en", to: folder + "/bank0/line2/name")
      try SmallFile.write("1", to: folder + "/live")
      let device = SmallFile.text(folder + "/dev_name") ?? ""
      let chip = SmallFile.text(folder + "/bank0/chip_name") ?? ""
      lines = "/sys/devices/platform/\(device)/\(chip)"
      // The node is udevd's or devtmpfs's to make.
      let deadline = soon
      while access("/dev/\(chip)", F_OK) != 0, !deadline.hasPassed {
        _ = deadline.limited(toSeconds: 0.02).wait()
      }
    }

    deinit {
      try? SmallFile.write("0", to: folder + "/live")
      for directory in ["/bank0/line2", "/bank0", ""] { rmdir(folder + directory) }
    }

    /// What a line is driven to: seen from the other end.
    func value(_ line: Int) -> String? { SmallFile.text("\(lines)/sim_gpio\(line)/value") }
  }

  func make(_ line: String, isActiveLow: Bool = false) throws -> any PowerSwitch {
    try makeSwitch(
      GPIOSwitch.self,
      ["chip": "kelvin-power", "line": .text(line), "active-low": .boolean(isActiveLow)])
  }

  @Test(
    .enabled(if: SimulatedChip.exists, "needs the kernel's gpio-sim: runs in the bench host"),
    arguments: [("power-en", 2, false), ("2", 2, true), ("5", 5, false)])
  func drivesAGPIOLine(line: String, offset: Int, isActiveLow: Bool) async throws {
    let chip = try SimulatedChip()
    let power = try make(line, isActiveLow: isActiveLow)
    // A line that is read is left as it is.
    let before = chip.value(offset)
    _ = try await power.state(until: soon)
    #expect(chip.value(offset) == before)
    for state in [PowerState.on, .off, .on] {
      try await power.set(state, until: soon)
      #expect(chip.value(offset) == ((state == .on) != isActiveLow ? "1" : "0"))
      #expect(try await power.state(until: soon) == PowerReading(state, .commanded))
    }
    try await power.cycle(offSeconds: 0.01, until: soon)
    #expect(chip.value(offset) == (isActiveLow ? "0" : "1"))
    for other in 0..<8 where other != offset { #expect(chip.value(other) == "0") }
  }

  @Test(.enabled(if: SimulatedChip.exists, "needs the kernel's gpio-sim: runs in the bench host"))
  func saysWhatIsWrongWithALine() async throws {
    let chip = try SimulatedChip()
    let first = try make("power-en")
    try await first.set(.on, until: soon)
    let second = try make("2")
    var found = await failure { try await second.set(.off, until: soon) }
    #expect(found?.message == "line '2' of 'kelvin-power' is held by 'kelvin'")
    #expect(chip.value(2) == "1")
    let misspelt = try make("powr-en")
    found = await failure { try await misspelt.set(.on, until: soon) }
    #expect(found?.hint == "did you mean 'power-en'?")
    let beyond = try make("8")
    found = await failure { try await beyond.set(.on, until: soon) }
    #expect(found?.message == "'kelvin-power' has lines 0 to 7, not 8")
    let elsewhere = try makeSwitch(GPIOSwitch.self, ["chip": "kelvin-pwoer", "line": "2"])
    found = await failure { try await elsewhere.set(.on, until: soon) }
    #expect(found?.hint == "did you mean 'kelvin-power'?")
    withExtendedLifetime(first) {}
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
