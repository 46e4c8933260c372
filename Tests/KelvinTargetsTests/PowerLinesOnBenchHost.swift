import CLinux
import Glibc
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import KelvinTargets
import Testing

/// Lines of this host: GPIO of a gpio-sim chip, and the modem lines of a UART in loop-back mode. The
/// bench host has both.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct PowerLinesOnBenchHost {
  func make(
    _ line: String, isActiveLow: Bool = false, host: PowerHost = PowerHost()
  ) throws -> any PowerSwitch {
    try makeSwitch(
      GPIOSwitch.self,
      ["chip": "kelvin-power", "line": .text(line), "active-low": .boolean(isActiveLow)],
      host: host)
  }

  @Test(
    .enabled(if: SimulatedGPIOChip.exists, "needs the kernel's gpio-sim: runs in the bench host"),
    arguments: [("power-en", 2, false), ("2", 2, true), ("5", 5, false)])
  func drivesAGPIOLine(line: String, offset: Int, isActiveLow: Bool) async throws {
    let chip = try SimulatedGPIOChip()
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

  @Test(
    .enabled(if: SimulatedGPIOChip.exists, "needs the kernel's gpio-sim: runs in the bench host"))
  func saysWhatIsWrongWithALine() async throws {
    let chip = try SimulatedGPIOChip()
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

  /// Every switch here is one of a command that is over.
  @Test(
    .enabled(if: SimulatedGPIOChip.exists, "needs the kernel's gpio-sim: runs in the bench host"),
    arguments: [false, true])
  func theOwnerHoldsALineOnWhenItsCommandIsOver(isActiveLow: Bool) async throws {
    let chip = try SimulatedGPIOChip()
    let owner = try LineOwner()
    let (high, low) = isActiveLow ? ("0", "1") : ("1", "0")
    // Nobody holds it: it is read as it is, and not held on.
    _ = try await make("2", isActiveLow: isActiveLow, host: owner.host).state(until: soon)
    #expect(try owner.client().list(until: soon).isEmpty)
    for (state, level) in [(PowerState.on, high), (.off, low), (.on, high)] {
      try await make("power-en", isActiveLow: isActiveLow, host: owner.host)
        .set(state, until: soon)
      #expect(chip.value(2) == level)
      let reading = try await make("2", isActiveLow: isActiveLow, host: owner.host)
        .state(until: soon)
      #expect(reading == PowerReading(state, .commanded))
      let held = try #require(try owner.client().list(until: soon).first)
      #expect(held.name == "rock.power" && held.kind == .line && held.state == .open)
      #expect(held.address == "gpio:kelvin-power:2")
      #expect(held.keep == (state == .on))
    }
    #expect(owner.warnings.isEmpty)
    // Others are told who has it.
    let found = await failure { try await make("2").set(.off, until: soon) }
    #expect(
      found?.message == "line '2' of 'kelvin-power' is held by 'kelvin owner \(getpid())'")
    #expect(throws: OwnerFailure.self) { _ = try owner.client().shutDown(until: soon) }
    #expect(chip.value(2) == high)
    try owner.client().close("rock.power", force: true, until: soon)
    // Free again: whoever comes next may have it.
    try await make("2").set(.off, until: soon)
  }

  @Test(
    .enabled(if: SimulatedGPIOChip.exists, "needs the kernel's gpio-sim: runs in the bench host"))
  func withoutAnOwnerTheSwitchHoldsTheLineAndSaysSo() async throws {
    let chip = try SimulatedGPIOChip()
    let owner = try LineOwner(starts: false)
    let power = try make("2", host: owner.host)
    try await power.set(.on, until: soon)
    #expect(chip.value(2) == "1" && power.holdsLine)
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
    try await power.set(.off, until: soon)
    #expect(chip.value(2) == "0")
    #expect(owner.warnings.count == 1)
    #expect(owner.warnings.first?.contains("no owner of ports holds the line") == true)
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

  @Test(
    .enabled(if: hasUART, "needs a second UART, \(uart): runs in the bench host"),
    arguments: [true, false])
  func aConsoleAndItsResetLineShareTheirPort(consoleComesFirst: Bool) async throws {
    let observer = kelvin_open(Self.uart, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    defer { close(observer) }
    #expect(kelvin_tty_loop_lines(observer, 1) == 0)
    defer { _ = kelvin_tty_loop_lines(observer, 0) }
    let owner = try LineOwner()
    let client = try owner.client()
    let address = ConsoleAddress.serial(path: Self.uart, baud: 115_200)
    if consoleComesFirst { _ = try client.open("rock", at: address, until: soon) }
    func reset() throws -> any PowerSwitch {
      try makeSwitch(
        SerialLineSwitch.self,
        ["path": .text(Self.uart), "line": "rts", "on": "released"], host: owner.host)
    }
    for state in [PowerState.off, .on, .off] {
      try await reset().set(state, until: soon)
      #expect(try await reset().state(until: soon) == PowerReading(state, .commanded))
      #expect(((kelvin_tty_looped_lines(observer) & 2) != 0) == (state == .off))
    }
    if !consoleComesFirst {
      #expect(try client.list(until: soon).map(\.name) == ["rock.power"])
      #expect(try client.open("rock", at: address, until: soon).state == .open)
    }
    // One port, never closed, its line as it was set.
    let held = try client.list(until: soon)
    #expect(held.map(\.name) == ["rock"] && held.first?.serial == 1)
    #expect((kelvin_tty_looped_lines(observer) & 2) != 0)
    #expect(held.first?.lines.rts == true && held.first?.drivers == ["rock.power": false])
    try await reset().set(.on, until: soon)
    #expect(try client.list(until: soon).first?.keep == true)
    #expect((kelvin_tty_looped_lines(observer) & 2) == 0)
    #expect(owner.warnings.isEmpty)
    // With its end the lines stay: HUPCL is off.
    _ = try client.shutDown(force: true, until: soon)
    #expect((kelvin_tty_looped_lines(observer) & 2) == 0)
  }
}
