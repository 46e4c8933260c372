internal import ArgumentParser
internal import Glibc
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// `kelvin mark`: marks a phase of the job that is running.
struct MarkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mark",
    abstract: "Marks a phase of the job that is running.",
    discussion: """
      From now on until the next mark the job is in this phase; 'end' ends it. The energy instrument \
      gives figures of each phase. A workload can do the same by itself: a line \
      'kelvin-phase: NAME' on its standard output. A mark is when this command was started, which is \
      known as exactly as its figures say.

      EXAMPLES
        kelvin mark decode
        kelvin mark end --run runs/2026-11-21T10-02-33-video

      EXIT CODES
        0 when it is on the disk; 1 when no run goes on; 2 when several do, or none measures energy
      """)

  @Argument(help: "The phase that begins, or 'end'.") var name: String
  @Option(
    name: .customLong("run"),
    help: "The run's directory; default: the only one in runs/ that goes on.",
    completion: .directory)
  var directory: String?

  func validate() throws {
    guard !name.trimmingASCIIWhitespace.isEmpty else {
      throw ValidationError("give the phase a name")
    }
  }

  func run() async throws {
    let life = try LifeRecord.current()
    let now = MonotonicTime.now.nanoseconds
    let directory = try chosen()
    let reader = try RunReader(directory: directory)
    guard try reader.run().isInProgress else {
      Terminal.standardError.line("kelvin: \(directory): this run does not go on")
      throw CommandExit.jobNotOK
    }
    let name = EnergyMeasurement.declaration.name
    guard try reader.specs().contains(where: { $0.augmentations.contains(name) }) else {
      throw PlainFailure(
        .configuration, "\(directory): nothing in this run takes marks",
        hint: "enable the instrument '\(name)' in its agenda")
    }
    // It was asked for at some time since this process was started.
    let ticks = Double(life.startTicks) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    let age = max(0, Double(life.boottimeNanoseconds) - ticks * 1e9)
    try MarkFile(run: directory, bootID: life.bootID).add(
      PhaseMark(
        time: now, limit: Int64(min(age, 10e9)) + 1_000_000, name: PhaseMark.name(of: self.name)))
  }

  private func chosen() throws -> String {
    if let directory { return directory }
    let running = try RunCatalog(directory: "runs").entries().filter {
      $0.info?.isInProgress == true
    }
    guard let first = running.first else {
      Terminal.standardError.line("kelvin: no run in runs/ goes on; name one by --run")
      throw CommandExit.jobNotOK
    }
    guard running.count == 1 else {
      throw PlainFailure(
        .configuration,
        "several runs go on: " + running.map(\.path).joined(separator: ", "),
        hint: "name one by --run")
    }
    return first.path
  }
}
