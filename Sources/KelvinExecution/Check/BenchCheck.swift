internal import KelvinConnections
internal import KelvinDevices
public import KelvinModel
public import KelvinTargets

/// Proves the entries of a bench file, one after the other: each device is there, permitted and
/// opens; commands run; each console shows a prompt; each switch answers, and on request switches.
///
/// Used by one thread, which it blocks.
public struct BenchCheck: Sendable {
  /// How a console is opened and asked for a prompt.
  public typealias ConsoleProbe =
    @Sendable (
      _ board: BoardEntry, _ console: DriverChoice, _ prompts: [ConsolePrompt], _ deadline: Deadline
    ) async throws -> ConsolePrompt?

  public var profile: @Sendable (String) -> BoardProfile?
  public var power: PowerHost
  public var probe: ConsoleProbe
  /// Also cut and restore the power of boards, and see their consoles come back.
  public var switches: Bool
  /// For each step.
  public var seconds: Double
  /// How long a board stays off that is switched: its capacitors must be empty.
  public var offSeconds = 2.0
  public var interrupt: Interrupt?

  /// Creates a check.
  ///
  /// - Parameter profile: gives a board's profile by its name.
  public init(
    profile: @escaping @Sendable (String) -> BoardProfile?, power: PowerHost,
    probe: @escaping ConsoleProbe, switches: Bool = false, seconds: Double = 30,
    interrupt: Interrupt? = nil
  ) {
    self.profile = profile
    self.power = power
    self.probe = probe
    self.switches = switches
    self.seconds = seconds
    self.interrupt = interrupt
  }

  /// Proves one board.
  ///
  /// - Parameter journal: hears when its power is cut, and when it is back.
  public func check(
    _ board: BoardEntry, journal: OutageJournal = OutageJournal()
  ) async -> [CheckStep] {
    let subject = "board '\(board.name)'"
    // Each step has its own: one that hangs must not fail the others.
    var deadline: Deadline { .after(seconds: seconds, interrupt: interrupt) }
    var steps: [CheckStep] = []
    var isInterrupted: Bool { interrupt?.isRaised ?? false }
    func add(_ step: CheckStep) {
      // What was interrupted has not failed.
      if isInterrupted, step.result == .failed { return }
      steps.append(step)
    }
    if let connection = board.connection, !isInterrupted {
      add(await checkConnection(subject, board, connection, deadline))
    }
    // A line whose commands run needs no prompt to prove it.
    if let console = board.console, console != board.connection, !isInterrupted {
      add(await checkConsole(subject, "console", board, console, deadline))
    }
    if let bootloader = board.bootloader, !isInterrupted {
      add(await checkBootloader(subject, "bootloader", bootloader, deadline))
    }
    for kind in [Declaration.Kind.power, .reset, .link] {
      guard let choice = board.choice(of: kind), !isInterrupted,
        !BoardLink.declarations.contains(where: { kind == .link && $0.name == choice.driver })
      else { continue }
      add(await checkSwitch(subject, board, kind, deadline))
    }
    let answers = steps.contains { $0.part == "power" && $0.result == .ok }
    if switches, answers, !isInterrupted {
      steps.append(await checkSwitching(subject, board, journal))
    }
    return steps
  }

  /// Proves one meter: it is there, and permitted. Drivers come with their own checks.
  public func check(_ meter: MeterEntry) -> [CheckStep] {
    let subject = "meter '\(meter.name)'"
    guard let match = DeviceMatch(meter.driver.options["match"]) else {
      return [CheckStep(subject, "device", .skipped, "no 'match' to look for")]
    }
    return [checkDevice(subject, "device", match, .usbDevice)]
  }

  private func checkDevice(
    _ subject: String, _ part: String, _ match: DeviceMatch, _ role: DeviceRole
  ) -> CheckStep {
    do {
      let device = try DeviceMatcher(match, role: role).find(in: UDevContext())
      try device.requireAccess()
      return CheckStep(subject, part, .ok, "\(DeviceMatcher.title(device)) is there and permitted")
    } catch {
      return CheckStep(subject, part, error)
    }
  }

  private func checkConnection(
    _ subject: String, _ board: BoardEntry, _ choice: DriverChoice, _ deadline: Deadline
  ) async -> CheckStep {
    let part = "connection"
    switch choice.driver {
    case "fastboot": return await checkBootloader(subject, part, choice, deadline)
    default: return await checkCommands(subject, part, board, choice, deadline)
    }
  }

  /// Proves that commands run and are answered.
  private func checkCommands(
    _ subject: String, _ part: String, _ board: BoardEntry, _ choice: DriverChoice,
    _ deadline: Deadline
  ) async -> CheckStep {
    do {
      let connection = try Connections.make(
        choice, of: board, profile: profile(board.profile))
      let target = Target(name: board.name, connection: connection, runID: "check")
      do {
        let facts = try await target.facts(until: deadline)
        await target.disconnect(until: deadline)
        return CheckStep(
          subject, part, .ok,
          "commands run (\(connection.name)): Linux \(LocatedValue.printable(facts.kernelRelease)), "
            + LocatedValue.printable(facts.machine))
      } catch {
        await target.disconnect(until: deadline)
        throw error
      }
    } catch { return CheckStep(subject, part, error) }
  }

  private func checkConsole(
    _ subject: String, _ part: String, _ board: BoardEntry, _ console: DriverChoice,
    _ deadline: Deadline
  ) async -> CheckStep {
    do {
      let prompts = ConsolePrompt.all(of: profile(board.profile))
      guard let prompt = try await probe(board, console, prompts, deadline) else {
        return CheckStep(
          subject, part, .failed, "opens, but shows no prompt (\(console.driver))",
          hint:
            "is the board on, is it the right line and baud rate, and does nobody else hold it? "
            + "'kelvin bench console \(board.name)' shows what it says")
      }
      return CheckStep(subject, part, .ok, "opens (\(console.driver)); \(prompt.name) seen")
    } catch { return CheckStep(subject, part, error) }
  }

  private func checkSwitch(
    _ subject: String, _ board: BoardEntry, _ kind: Declaration.Kind, _ deadline: Deadline
  ) async -> CheckStep {
    let part = kind.rawValue
    do {
      let control = try PowerControl(board, kind, host: power)
      let reading = try await control.state(until: deadline)
      let driver = board.choice(of: kind)?.driver ?? ""
      return CheckStep(
        subject, part, .ok,
        "answers (\(driver)): \(reading.state?.rawValue ?? "unknown"), \(reading.source.rawValue)")
    } catch { return CheckStep(subject, part, error) }
  }

  private func checkSwitching(
    _ subject: String, _ board: BoardEntry, _ journal: OutageJournal
  ) async -> CheckStep {
    let check = SwitchingCheck(
      board: board, prompts: ConsolePrompt.all(of: profile(board.profile)), power: power,
      probe: probe,
      // A board takes its time to boot.
      bootSeconds: max(seconds, 180), offSeconds: offSeconds, journal: journal,
      interrupt: interrupt)
    do {
      return CheckStep(subject, "switching", .ok, try await check.run())
    } catch { return CheckStep(subject, "switching", error) }
  }
}
