internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

/// Cuts a board's power, sees that it is dead, restores the power, sees it come back.
///
/// Once it is off, nothing but the switch itself keeps it off: also when something fails or the check
/// is interrupted, it is switched on again.
struct SwitchingCheck {
  let board: BoardEntry
  let prompts: [ConsolePrompt]
  let power: PowerHost
  let probe: BenchCheck.ConsoleProbe
  /// How long the board may take to come back.
  let bootSeconds: Double
  /// How long it stays off.
  let offSeconds: Double
  let journal: OutageJournal
  let interrupt: Interrupt?

  /// Does it all.
  ///
  /// - Returns: what was seen.
  /// - Throws: `Failure`: what is wrong; it says when the board stays off.
  func run() async throws -> String {
    let control = try PowerControl(board, .power, host: power)
    let off: PowerReading
    try await journal.begin("bench check --switch")
    do {
      off = try await control.set(.off, until: .after(seconds: bootSeconds, interrupt: interrupt))
    } catch {
      // It may be off by now all the same.
      try await restore(control, after: error.message)
      throw error
    }
    let prompt = await signOfLife()
    let on = try await restore(control, after: "switched off (\(off.source.rawValue))")
    if interrupt?.isRaised ?? false {
      throw PlainFailure(.infrastructure, "interrupted; the board is switched on again")
    }
    if let prompt {
      throw PlainFailure(
        .infrastructure,
        "switched off (\(off.source.rawValue)), but its console still shows \(prompt.name)",
        hint: "look at the wiring: does this switch feed this board, and nothing else?")
    }
    let detail = "off (\(off.source.rawValue)) and on (\(on.source.rawValue)) again"
    guard let console = board.console else { return detail }
    guard let prompt = try await comeBack(console) else {
      throw PlainFailure(
        .target, "\(detail), but the board did not come back",
        hint: "look at its console: 'kelvin bench console \(board.name)'")
    }
    return "\(detail); \(prompt.name) seen afterwards"
  }

  /// Switches on, whatever was interrupted.
  @discardableResult
  private func restore(
    _ control: PowerControl, after event: String
  ) async throws(PlainFailure) -> PowerReading {
    let reading: PowerReading
    do {
      reading = try await control.set(.on, until: .after(seconds: max(bootSeconds, 10)))
    } catch {
      throw PlainFailure(
        error.kind, "\(event), and not on again: \(error.message)", evidence: error.evidence,
        hint: "the board may be off: 'kelvin power on \(board.name)'")
    }
    do { try await journal.end() } catch { throw PlainFailure(error) }
    return reading
  }

  /// Asks the console of the board that should be dead, for as long as it is to be off.
  private func signOfLife() async -> ConsolePrompt? {
    let deadline = Deadline.after(seconds: offSeconds, interrupt: interrupt)
    // What it said before may still be on its way.
    _ = deadline.limited(toSeconds: offSeconds / 4).wait()
    guard let console = board.console else {
      _ = deadline.wait()
      return nil
    }
    let prompt: ConsolePrompt?
    do {
      prompt = try await probe(board, console, prompts, deadline)
    } catch {
      // A console that is fed by the board is gone with it.
      prompt = nil
    }
    if prompt == nil { _ = deadline.wait() }
    return prompt
  }

  /// Asks the console until the board is up; one that is fed by the board comes back later.
  private func comeBack(_ console: DriverChoice) async throws -> ConsolePrompt? {
    let deadline = Deadline.after(seconds: bootSeconds, interrupt: interrupt)
    while true {
      do {
        return try await probe(board, console, prompts, deadline)
      } catch {
        let isGone = (error as? OwnerFailure)?.code == .lost || error is DeviceFailure
        guard isGone, deadline.limited(toSeconds: 0.5).wait() == .passed, !deadline.hasPassed
        else { throw error }
      }
    }
  }
}
