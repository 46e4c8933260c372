internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
internal import KelvinDevices
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// `kelvin bench check`: proves each entry of a bench file.
struct BenchCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Proves each entry of the bench: there, permitted, opens, a prompt seen, switches.",
    discussion: """
      Each board is leased while it is checked; boards that somebody has are left alone. A board \
      that was taken out because it was sick comes back when it passes; one that was disabled by \
      hand does not. Power is only cut with --switch, and restored also when the check is \
      interrupted. Several boards are checked at a time; each is printed when it is done.

      EXAMPLES
        kelvin bench check
        kelvin bench check rock --switch           also off and on again, and see it come back
        kelvin bench check rock --take-over        although a run that is gone left it leased
        kelvin bench check --bench examples/virtual-bench.yaml --format json

      EXIT CODES
        0 all is well; 1 something failed; 2 bad input
      """)

  @Argument(help: "Boards and meters by name; default: all.") var names: [String] = []
  @OptionGroup var bench: BenchOptions
  @OptionGroup var places: OwnerPlaceOptions

  @Flag(name: .customLong("switch"), help: "Cut each board's power, restore it, see it come back.")
  var switches = false

  @Flag(
    help: """
      Take over boards from runs that are gone, or on a host that is gone for good; their settings are \
      restored first.
      """)
  var takeOver = false

  @Option(help: "How long each step may take, in seconds.") var timeout = 20.0
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func validate() throws {
    guard timeout > 0, timeout <= 3600 else { throw ValidationError("--timeout: 0 to 3600 s") }
  }

  func run() async throws {
    let environment = CommandEnvironment.current
    let reading = try bench.read(environment)
    let (boards, meters) = try chosen(from: reading.bench)
    let hardware = environment.hardware
    let profiles = try profiles(of: boards, hardware)
    let interrupt = SignalInterrupt.begin()
    let console = OwnedConsole(
      places: places.places,
      baud: { board in profiles[board.profile]?.consoleBaud.flatMap(UInt32.init(exactly:)) })
    let printer = CheckPrinter(format: format)
    var power = PowerHost(warn: { Terminal.standardError.line("kelvin: \($0)") })
    power.keeper = LineKeeper(as: "kelvin bench check", places: places.places)
    let check = BenchCheck(
      profile: { profiles[$0] }, power: power,
      probe: { board, choice, prompts, deadline in
        try console.prompt(of: board, choice, among: prompts, until: deadline)
      },
      switches: switches, seconds: timeout, interrupt: interrupt)
    let resources = BenchResources(
      environment.benchDeclarations(hardware), host: try HostIdentity.current())
    let takesOver = takeOver
    let wanted = boards.map { ($0, resources.board($0)) }
    var steps = try await inParallel(wanted, interrupt) { board, resource in
      let steps = try await CheckedBoard(
        board, of: reading.bench, as: resource, takesOver: takesOver, interrupt: interrupt
      ).check(by: check)
      printer.print(steps)
      return steps
    }
    for meter in meters where !interrupt.isRaised {
      let found = check.check(meter)
      printer.print(found)
      steps += found
    }
    printer.end(steps)
    if interrupt.isRaised {
      Terminal.standardError.line("kelvin: interrupted: not everything was checked")
      throw CommandExit.interrupted
    }
    if steps.contains(where: { $0.result == .failed }) { throw CommandExit.jobNotOK }
  }

  /// So many boards at a time: most of a check is waiting for boards that do not answer.
  private static let width = 16

  /// Checks boards, a few at a time.
  ///
  /// - Returns: their steps in the order of the bench file.
  private func inParallel(
    _ boards: [(BoardEntry, BenchResource)], _ interrupt: Interrupt,
    check: @escaping @Sendable (BoardEntry, BenchResource) async throws -> [CheckStep]
  ) async throws -> [CheckStep] {
    try await withThrowingTaskGroup(of: (Int, [CheckStep]).self) { group in
      var results = Array(repeating: [CheckStep](), count: boards.count)
      for (index, board) in boards.enumerated() {
        if index >= Self.width, let (done, steps) = try await group.next() { results[done] = steps }
        if interrupt.isRaised { break }
        group.addTask { (index, try await check(board.0, board.1)) }
      }
      while let (done, steps) = try await group.next() { results[done] = steps }
      return results.flatMap(\.self)
    }
  }

  private func chosen(from bench: Bench) throws -> ([BoardEntry], [MeterEntry]) {
    guard !names.isEmpty else {
      // Whoever has their bench proved must not take nothing for a proof.
      guard !bench.boards.isEmpty || !bench.meters.isEmpty else {
        throw PlainFailure(
          .configuration, "there is nothing to check: the bench has no boards and no meters",
          hint: "'kelvin bench scan --format yaml' prints entries to start from")
      }
      return (bench.boards, bench.meters)
    }
    let known = bench.boards.map(\.name) + bench.meters.map(\.name)
    for name in names where !known.contains(name) {
      throw PlainFailure(
        .configuration, "the bench has no board or meter \(LocatedValue.quoted(name))",
        hint: NearestName.hint(for: name, in: known))
    }
    return (
      bench.boards.filter { names.contains($0.name) },
      bench.meters.filter { names.contains($0.name) }
    )
  }

  private func profiles(
    of boards: [BoardEntry], _ hardware: HardwareProfiles
  ) throws -> [String: BoardProfile] {
    var profiles: [String: BoardProfile] = [:]
    for board in boards where profiles[board.profile] == nil {
      profiles[board.profile] = try hardware.board(named: board.profile)
    }
    return profiles
  }
}

/// Prints what was found, board by board as they end; as JSON, all of it at the end.
private struct CheckPrinter: Sendable {
  let format: OutputFormat

  func print(_ steps: [CheckStep]) {
    guard format == .text, !steps.isEmpty else { return }
    // In one piece: boards are checked at the same time.
    Terminal.standardOutput.line(steps.map(line).joined(separator: "\n"))
  }

  private func line(_ step: CheckStep) -> String {
    let mark = step.result == .failed ? "FAILED " : step.result == .ok ? "ok     " : "skipped"
    var text = "\(mark)  \(step.subject)  \(step.part): \(LocatedValue.printable(step.detail))"
    if !step.hint.isEmpty { text += "\n           \(step.hint)" }
    return text
  }

  func end(_ steps: [CheckStep]) {
    guard format == .text else {
      Terminal.standardOutput.line(Value.list(steps.map(\.value)).json)
      return
    }
    let count = { (result: CheckStep.Result) in steps.count { $0.result == result } }
    Terminal.standardOutput.line(
      "\(count(.ok)) ok, \(count(.failed)) failed, \(count(.skipped)) skipped")
  }
}
