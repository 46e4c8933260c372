internal import KelvinDevices
public import KelvinModel
public import KelvinTargets

/// Proves the entries of a bench file, one after the other: each device is there, permitted and
/// opens; each console shows a prompt; each switch answers, and on request switches.
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
  public var interrupt: Interrupt?
  /// Hears each step as it ends.
  public var report: @Sendable (CheckStep) -> Void

  /// Creates a check.
  ///
  /// - Parameter profile: gives a board's profile by its name.
  public init(
    profile: @escaping @Sendable (String) -> BoardProfile?, power: PowerHost,
    probe: @escaping ConsoleProbe, switches: Bool = false, seconds: Double = 30,
    interrupt: Interrupt? = nil, report: @escaping @Sendable (CheckStep) -> Void = { _ in }
  ) {
    self.profile = profile
    self.power = power
    self.probe = probe
    self.switches = switches
    self.seconds = seconds
    self.interrupt = interrupt
    self.report = report
  }

  /// Proves one board.
  public func check(_ board: BoardEntry) async -> [CheckStep] {
    let subject = "board '\(board.name)'"
    // Each step has its own: one that hangs must not fail the others.
    var deadline: Deadline { .after(seconds: seconds, interrupt: interrupt) }
    var steps: [CheckStep] = []
    func add(_ step: CheckStep) {
      steps.append(step)
      report(step)
    }
    if let connection = board.connection {
      add(await checkConnection(subject, board, connection, deadline))
    }
    if let console = board.console {
      add(await checkConsole(subject, "console", board, console, deadline))
    }
    if board.power != nil { add(await checkSwitch(subject, board, .power, deadline)) }
    if board.reset != nil { add(await checkSwitch(subject, board, .reset, deadline)) }
    if switches, let power = board.power, steps.last?.result == .ok {
      add(await checkSwitching(subject, board, power))
    }
    return steps
  }

  /// Proves one meter: it is there, and permitted. Drivers come with their own checks.
  public func check(_ meter: MeterEntry) -> [CheckStep] {
    let subject = "meter '\(meter.name)'"
    guard let match = DeviceMatch(meter.driver.options["match"]) else {
      return reported([CheckStep(subject, "device", .skipped, "no 'match' to look for")])
    }
    return reported([checkDevice(subject, "device", match, .usbDevice)])
  }

  private func reported(_ steps: [CheckStep]) -> [CheckStep] {
    for step in steps { report(step) }
    return steps
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
    case "local": return CheckStep(subject, part, .ok, "this machine")
    case "ssh":
      do {
        let greeting = try ServerGreeting.read(
          host: choice.options["host"]?.text ?? "", port: choice.options["port"]?.integer ?? 22,
          until: deadline)
        guard greeting.hasPrefix("SSH-") else {
          return CheckStep(
            subject, part, .failed, "is no SSH server: \(LocatedValue.quoted(greeting))",
            hint: "check host and port")
        }
        return CheckStep(subject, part, .ok, "\(LocatedValue.printable(greeting)) answers")
      } catch { return CheckStep(subject, part, error) }
    case "serial", "telnet", "socket":
      return await checkConsole(subject, part, board, choice, deadline)
    default:
      if case .map(let usb)? = choice.options["usb"], let match = DeviceMatch(usb["match"]) {
        return checkDevice(subject, part, match, .usbDevice)
      }
      return CheckStep(subject, part, .skipped, "'\(choice.driver)' cannot be checked yet")
    }
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
          hint: "is the board on, and is it the right line and baud rate? "
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
      let driver = (kind == .reset ? board.reset : board.power)?.driver ?? ""
      return CheckStep(
        subject, part, .ok,
        "answers (\(driver)): \(reading.state?.rawValue ?? "unknown"), \(reading.source.rawValue)")
    } catch { return CheckStep(subject, part, error) }
  }

  private func checkSwitching(
    _ subject: String, _ board: BoardEntry, _ choice: DriverChoice
  ) async -> CheckStep {
    let part = "switching"
    // A board takes its time to boot.
    let deadline = Deadline.after(seconds: max(seconds, 180), interrupt: interrupt)
    do {
      let control = try PowerControl(board, .power, host: power)
      let off = try await control.set(.off, until: deadline)
      let on = try await control.set(.on, until: deadline)
      var detail = "off (\(off.source.rawValue)) and on (\(on.source.rawValue)) again"
      if let console = board.console {
        let prompts = ConsolePrompt.all(of: profile(board.profile))
        guard let prompt = try await probe(board, console, prompts, deadline) else {
          return CheckStep(
            subject, part, .failed, "\(detail), but the board did not come back",
            hint: "look at its console: 'kelvin bench console \(board.name)'")
        }
        detail += "; \(prompt.name) seen afterwards"
      }
      return CheckStep(subject, part, .ok, detail)
    } catch { return CheckStep(subject, part, error) }
  }
}
