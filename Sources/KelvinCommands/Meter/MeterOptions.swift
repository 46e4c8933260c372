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
  ///   - name: of a meter in the bench file, or as 'kelvin meter list' tells; nil for the best one there is.
  ///   - options: of its driver, over what it was found with.
  ///   - verb: for others who want the board.
  ///   - body: runs on the board's own thread.
  func withMeter<Result: Sendable>(
    _ name: String?, _ options: [String: Value] = [:], for verb: String, until deadline: Deadline,
    _ body: @escaping @Sendable (any Meter, Target) async throws -> Result
  ) async throws -> Result {
    let board = board
    let declared = try name.flatMap { try self.declared($0) }
    return try await target.withTarget(board, for: verb, until: deadline) { target in
      let meter: any Meter
      if let declared {
        meter = try await declared.driver.open(
          name: name ?? "", options: declared.options.merging(options) { $1 },
          through: target.connection, until: deadline)
      } else {
        let search = await MeterSearch(through: target.connection, until: deadline)
        guard let found = try name.map({ try search.meter(named: $0, on: board) }) ?? search.best,
          let driver = MeterOptions.driver(found.driver)
        else { throw MeterOptions.nothing(on: board, search) }
        meter = try await driver.open(
          name: found.name, options: found.options.merging(options) { $1 },
          through: target.connection, until: deadline)
      }
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

  /// A meter that the bench file names; nil when it does not, or there is no bench file.
  private func declared(
    _ name: String
  ) throws -> (driver: any MeterDriver, options: [String: Value])? {
    guard let paths = try? target.bench.paths(), !paths.isEmpty,
      let entry = try target.bench.read(.current).bench.meter(named: name)
    else { return nil }
    guard let driver = MeterOptions.driver(entry.driver.driver) else {
      throw MeterFailure(
        .unsupported, "\(name): nothing measures with a '\(entry.driver.driver)' yet",
        hint: "there are drivers for "
          + BuiltInMeters.all.map(\.declaration.name).joined(separator: ", "))
    }
    return (driver, entry.driver.options)
  }

  private static func driver(_ name: String) -> (any MeterDriver)? {
    BuiltInMeters.all.first { $0.declaration.name == name }
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
