public import KelvinConnections
public import KelvinModel

/// What can measure a board: the meters of its bench file, and what its kernel offers.
public struct BoardMeters: Sendable {
  /// Of the bench, whichever board they belong to.
  public var declared: [MeterEntry]
  /// Names of those that the bench file ties to this board.
  public var tied: [String]
  /// The boards of those that it ties to others.
  public var elsewhere: [String: String]
  public var drivers: [any MeterDriver]
  /// What is known of a meter by its name in the bench file, or by BOARD-NAME for one of a board's kernel.
  public var calibration: @Sendable (_ place: String) throws(MeterFailure) -> MeterCalibration?

  /// Lists meters; a board without a bench file has those of its kernel.
  public init(
    declared: [MeterEntry] = [], tied: [String] = [], elsewhere: [String: String] = [:],
    drivers: [any MeterDriver] = BuiltInMeters.all,
    calibration: @escaping @Sendable (_ place: String) throws(MeterFailure) -> MeterCalibration? = {
      _ in nil
    }
  ) {
    self.declared = declared
    self.tied = tied
    self.elsewhere = elsewhere
    self.drivers = drivers
    self.calibration = calibration
  }

  /// A meter that was chosen, and not opened yet.
  public struct Choice: Sendable {
    /// By which people call it.
    public var name: String
    public var driver: any MeterDriver
    public var options: [String: Value]
    /// By which its calibration is kept.
    public var place: String
    /// What references told of it.
    public var calibration: @Sendable (_ place: String) throws(MeterFailure) -> MeterCalibration?

    /// Opens it.
    ///
    /// - Parameters:
    ///   - more: options over those that it was chosen with.
    ///   - isCalibrated: whether its calibration is applied, where there is one.
    public func open(
      _ more: [String: Value] = [:], isCalibrated: Bool = true,
      through connection: any Connection, until deadline: Deadline
    ) async throws(MeterFailure) -> any Meter {
      let meter = try await driver.open(
        name: name, options: options.merging(more) { $1 }, through: connection, until: deadline)
      do throws(MeterFailure) {
        guard isCalibrated, let known = try calibration(place) else { return meter }
        return try CalibratedMeter(meter, known)
      } catch {
        await meter.close()
        throw error
      }
    }
  }

  /// The meters of these names, as the bench file or 'kelvin meter list' calls them; without any those that
  /// are tied to the board, else the best one of its kernel.
  ///
  /// - Parameter board: for messages.
  /// - Throws: `notFound`, `unsupported` for a meter without a driver, `invalid` for a name that means
  ///   several, or that measures another board; what hinders the use of the only ones there are.
  public func choose(
    _ names: [String] = [], through connection: any Connection, on board: String,
    until deadline: Deadline
  ) async throws(MeterFailure) -> [Choice] {
    let names = names.isEmpty ? tied : names
    var choices: [Choice] = []
    var search: MeterSearch?
    for name in names {
      if let other = elsewhere[name] {
        throw MeterFailure(
          .invalid, "\(name): measures '\(other)', and not '\(board)', says the bench file",
          hint: "a meter measures one board at a time; tie it to '\(board)', or name another")
      }
      if let entry = declared.first(where: { $0.name == name }) {
        choices.append(try choice(of: entry))
        continue
      }
      let looked: MeterSearch
      if let search {
        looked = search
      } else {
        looked = await MeterSearch(through: connection, drivers: drivers, until: deadline)
        search = looked
      }
      choices.append(try choice(of: looked.meter(named: name, on: board), board))
    }
    guard choices.isEmpty else { return choices }
    let looked = await MeterSearch(through: connection, drivers: drivers, until: deadline)
    guard let best = looked.best else { throw looked.absence(on: board) }
    return [try choice(of: best, board)]
  }

  private func choice(of entry: MeterEntry) throws(MeterFailure) -> Choice {
    guard let driver = driver(entry.driver.driver) else {
      throw MeterFailure(
        .unsupported, "\(entry.name): nothing measures with a '\(entry.driver.driver)' yet",
        hint: "there are drivers for " + drivers.map(\.declaration.name).joined(separator: ", "))
    }
    return Choice(
      name: entry.name, driver: driver, options: entry.driver.options, place: entry.name,
      calibration: calibration)
  }

  private func choice(of found: FoundMeter, _ board: String) throws(MeterFailure) -> Choice {
    guard let driver = driver(found.driver) else {
      throw MeterFailure(.notFound, "\(board): there is no driver '\(found.driver)'")
    }
    return Choice(
      name: found.name, driver: driver, options: found.options, place: "\(board)-\(found.name)",
      calibration: calibration)
  }

  private func driver(_ name: String) -> (any MeterDriver)? {
    drivers.first { $0.declaration.name == name }
  }
}

extension MeterSearch {
  /// Why there is no meter: what hinders those that are there, or that there is nothing.
  public func absence(on board: String) -> MeterFailure {
    if let obstacle = found.lazy.compactMap(\.obstacle).first { return obstacle }
    if let failure = failures.first { return failure }
    return MeterFailure(
      .notFound, "\(board): no meter that measures power or energy",
      hint: "its kernel has no hwmon chip, RAPL counter or battery gauge that does; "
        + "virtual machines rarely have one")
  }
}
