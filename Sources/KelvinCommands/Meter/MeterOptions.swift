internal import ArgumentParser
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
  ///   - name: as 'kelvin meter list' tells; nil for the best one there is.
  ///   - options: of its driver, over what it was found with.
  ///   - verb: for others who want the board.
  ///   - body: runs on the board's own thread.
  func withMeter<Result: Sendable>(
    _ name: String?, _ options: [String: Value] = [:], for verb: String, until deadline: Deadline,
    _ body: @escaping @Sendable (any Meter, Target) async throws -> Result
  ) async throws -> Result {
    let board = board
    return try await target.withTarget(board, for: verb, until: deadline) { target in
      let search = await MeterSearch(through: target.connection, until: deadline)
      guard let found = try name.map({ try search.meter(named: $0, on: board) }) ?? search.best
      else { throw MeterOptions.nothing(on: board, search) }
      guard let driver = BuiltInMeters.all.first(where: { $0.declaration.name == found.driver })
      else { throw MeterOptions.nothing(on: board, search) }
      let meter = try await driver.open(
        name: found.name, options: found.options.merging(options) { $1 },
        through: target.connection, until: deadline)
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

  /// Why there is none: what hinders those that are there, or that there is nothing.
  static func nothing(on board: String, _ search: MeterSearch) -> MeterFailure {
    if let obstacle = search.found.lazy.compactMap(\.obstacle).first { return obstacle }
    if let failure = search.failures.first { return failure }
    return MeterFailure(
      .notFound, "\(board): no meter that measures power or energy",
      hint: "its kernel has no hwmon chip, RAPL counter or battery gauge that does; "
        + "virtual machines rarely have one")
  }
}
