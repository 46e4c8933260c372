internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinMeters
internal import KelvinModel
internal import KelvinTargets

/// Which meter is meant, and where it is.
struct MeterOptions: ParsableArguments {
  @Option(
    help:
      "The board whose kernel has the meter, by its name in the bench file; default: this machine.")
  var board = "local"

  @OptionGroup var target: TargetOptions

  /// Opens a meter on its board, and lets go of both however `body` ends.
  ///
  /// - Parameters:
  ///   - name: of a meter in the bench file, or as 'kelvin meter list' tells, or a meter as YAML; nil for
  ///     the board's first, else the best one there is.
  ///   - options: of its driver, over what it was found with.
  ///   - isCalibrated: whether its calibration is applied, where there is one.
  ///   - verb: for others who want the board.
  ///   - body: runs on the board's own thread.
  func withMeter<Result: Sendable>(
    _ name: String?, _ options: [String: Value] = [:], isCalibrated: Bool = true,
    for verb: String, until deadline: Deadline,
    _ body: @escaping @Sendable (any Meter, Target) async throws -> Result
  ) async throws -> Result {
    let board = board
    let (meters, name) = try known(name)
    return try await target.withTarget(board, for: verb, until: deadline) { target in
      let choice = try await meters.choose(
        name.map { [$0] } ?? [], through: target.connection, on: board, until: deadline)
      guard let first = choice.first else {
        throw MeterFailure(.notFound, "\(board): no meter was chosen")
      }
      let meter = try await first.open(
        options, isCalibrated: isCalibrated, through: target.connection, until: deadline)
      do {
        let result = try await body(meter, target)
        await meter.close()
        return result
      } catch {
        await meter.close()
        throw error
      }
    }
  }

  /// Whether the bench file names such a meter.
  func isDeclared(_ name: String) throws -> Bool {
    try known(nil).meters.declared.contains { $0.name == name }
  }

  /// The meters of the bench file, where there is one, and those of them that are the board's; with the name
  /// of the one that is meant, which may be declared by what was written for it.
  private func known(_ name: String?) throws -> (meters: BoardMeters, name: String?) {
    let paths = (try? target.bench.paths()) ?? []
    let inline = name.map { MeterText.isDeclaration($0) ? [$0] : [] } ?? []
    guard !paths.isEmpty || !inline.isEmpty else { return (BoardMeters(), name) }
    let reading = try target.bench.read(paths, meters: inline, .current)
    return (
      BoardMeters(
        declared: reading.bench.meters, tied: reading.bench.board(named: board)?.meters ?? [],
        calibration: CalibrationFile.reader(besides: paths)),
      reading.commandLineMeters.first ?? name
    )
  }
}
