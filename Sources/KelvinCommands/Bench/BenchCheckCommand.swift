internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
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
      Each board is leased while it is checked; boards that somebody has are left alone. A board that
      was taken out because it was sick comes back when it passes; one that was disabled by hand does
      not. Power is only cut with --switch.

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
    let check = BenchCheck(
      profile: { profiles[$0] },
      power: PowerHost(warn: { Terminal.standardError.line("kelvin: \($0)") }),
      probe: { board, choice, prompts, deadline in
        try console.prompt(of: board, choice, among: prompts, until: deadline)
      },
      switches: switches, seconds: timeout, interrupt: interrupt, report: printer.print)
    let resources = BenchResources(
      environment.benchDeclarations(hardware), host: try HostIdentity.current())
    var steps: [CheckStep] = []
    for board in boards where !interrupt.isRaised {
      steps += try await CheckedBoard(
        board: board, resource: resources.board(board), takesOver: takeOver, interrupt: interrupt,
        report: printer.print
      ).check(by: check)
    }
    for meter in meters where !interrupt.isRaised { steps += check.check(meter) }
    if interrupt.isRaised { throw CommandExit(code: 130) }
    printer.end(steps)
    if steps.contains(where: { $0.result == .failed }) { throw CommandExit.jobNotOK }
  }

  private func chosen(from bench: Bench) throws -> ([BoardEntry], [MeterEntry]) {
    guard !names.isEmpty else { return (bench.boards, bench.meters) }
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

/// One board while it is checked: leased, so that no run gets it meanwhile, and its health written
/// down afterwards.
private struct CheckedBoard {
  let board: BoardEntry
  let resource: BenchResource
  let takesOver: Bool
  let interrupt: Interrupt
  let report: @Sendable (CheckStep) -> Void

  func check(by check: BenchCheck) async throws -> [CheckStep] {
    let subject = "board '\(board.name)'"
    let lease: BoardLease
    let health: BenchHealth?
    do {
      lease = try await BoardLease.take(
        LeaseWish(
          [.init(resource, external: board.lease)], purpose: "bench check", takesOver: takesOver,
          attends: true, note: { Terminal.standardError.line("kelvin: \($0)") },
          // Kelvin has changed no setting that outlives its run.
          restore: { _, _ in }),
        until: Deadline(time: nil, interrupt: interrupt))
      health = try BenchListing.status(of: resource).health
    } catch let refusal as LeaseRefusal {
      let step = CheckStep(subject, "lease", .skipped, refusal.message, hint: refusal.hint)
      report(step)
      return [step]
    } catch let failure as StoreFailure {
      // Nobody can say whether somebody uses it.
      let step = CheckStep(subject, "lease", .failed, failure.message, hint: failure.hint)
      report(step)
      return [step]
    }
    var steps = await check.check(board)
    func add(_ step: CheckStep) {
      report(step)
      steps.append(step)
    }
    if let health, !interrupt.isRaised {
      do throws(StoreFailure) {
        add(try conclude(from: steps, health))
      } catch {
        add(CheckStep(subject, "health", .failed, error.message, hint: error.hint))
      }
    }
    for problem in await lease.giveBack() {
      add(CheckStep(subject, "lease", .failed, "\(problem)"))
    }
    return steps
  }

  /// Brings a board back that was sick and has passed; what a person took out stays out.
  private func conclude(
    from steps: [CheckStep], _ health: BenchHealth
  ) throws(StoreFailure) -> CheckStep {
    let subject = "board '\(board.name)'"
    // A board of which nothing could be looked at has passed nothing.
    let isWell =
      steps.allSatisfy { $0.result != .failed } && steps.contains { $0.result == .ok }
    guard isWell, health.condition == .quarantined else {
      return CheckStep(
        subject, "health", .skipped, "stays \(health.condition.rawValue): \(health.reason)",
        hint: "'kelvin bench enable \(board.name)' puts it back")
    }
    let store = try BenchStore.open()
    defer { store.close() }
    // Whoever disabled it meanwhile has the last word.
    guard try store.enable(resource, reason: "passed bench check", from: .quarantined) else {
      return CheckStep(
        subject, "health", .skipped, "was disabled, or put back, while it was checked",
        hint: "'kelvin bench health \(board.name)' tells")
    }
    return CheckStep(subject, "health", .ok, "was in quarantine (\(health.reason)); is back")
  }
}

/// Prints steps as they end.
private struct CheckPrinter: Sendable {
  let format: OutputFormat

  func print(_ step: CheckStep) {
    guard format == .text else { return }
    let mark = step.result == .failed ? "FAILED " : step.result == .ok ? "ok     " : "skipped"
    var text = "\(mark)  \(step.subject)  \(step.part): \(LocatedValue.printable(step.detail))"
    if !step.hint.isEmpty { text += "\n           \(step.hint)" }
    Terminal.standardOutput.line(text)
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
