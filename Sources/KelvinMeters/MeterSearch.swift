public import KelvinConnections
public import KelvinModel

/// What meters a board has that need no configuration, by all drivers.
public struct MeterSearch: Sendable {
  /// Those that were found, in the order of the drivers.
  public var found: [FoundMeter] = []
  /// Drivers that could not look.
  public var failures: [MeterFailure] = []

  /// Asks every driver.
  public init(
    through connection: any Connection, drivers: [any MeterDriver] = BuiltInMeters.all,
    until deadline: Deadline
  ) async {
    for driver in drivers {
      do throws(MeterFailure) {
        found += try await driver.find(through: connection, until: deadline)
      } catch {
        failures.append(error)
      }
    }
  }

  /// The meter that a name means: as it is listed, or the only one that begins so or is of this
  /// driver.
  ///
  /// - Throws: `notFound` with what there is; `invalid` when several are meant; the meter's own
  ///   obstacle.
  public func meter(named name: String, on board: String) throws(MeterFailure) -> FoundMeter {
    let known = found.map(\.name).joined(separator: ", ")
    let exact = found.filter { $0.name == name }
    let meant =
      exact.isEmpty
      ? found.filter {
        $0.name.hasPrefix(name) || $0.name.split(separator: "/").last.map(String.init) == name
      }
      : exact
    guard let first = meant.first else {
      throw MeterFailure(
        .notFound, "\(board): there is no meter '\(name)'",
        hint: known.isEmpty
          ? "'kelvin meter list' shows what there is: nothing" : "there are \(known)")
    }
    guard meant.count == 1 else {
      throw MeterFailure(
        .invalid, "\(board): '\(name)' means \(meant.map(\.name).joined(separator: ", "))",
        hint: "name one of them")
    }
    if let obstacle = first.obstacle { throw obstacle }
    return first
  }

  /// The meter that measures power or energy where none was named: what tells energy by itself first,
  /// then what tells power; a battery's gauge last. Nil when there is none.
  public var best: FoundMeter? {
    let usable = found.filter { $0.obstacle == nil && $0.measuresPower }
    return usable.first { $0.driver == "rapl" } ?? usable.first { $0.driver == "perf" }
      ?? usable.first { $0.driver != "power_supply" } ?? usable.first
  }
}

extension FoundMeter {
  /// Whether energy or power comes of its channels.
  public var measuresPower: Bool {
    channels.contains { $0.kind == .power || $0.kind == .energy && $0.wrap != nil }
      || channels.contains { current in
        current.kind == .current
          && channels.contains { $0.kind == .voltage && $0.site == current.site }
      }
  }
}
