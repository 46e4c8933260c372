internal import KelvinConnections
internal import KelvinMeters
internal import KelvinModel
internal import KelvinTargets

// Which meters measure, and whether they can.
extension EnergyMeasurement {
  /// The meters to measure with; where one of several is not there, the others, and why.
  func choose(
    _ run: RunContext, until deadline: Deadline
  ) async throws(MeterFailure) -> ([BoardMeters.Choice], missing: MeterFailure?) {
    let meters = run.equipment.meters
    func choose(_ names: [String]) async throws(MeterFailure) -> [BoardMeters.Choice] {
      try await meters.choose(
        names, through: run.target.connection, on: run.target.name, until: deadline)
    }
    let names = options.meters.isEmpty ? meters.tied : options.meters
    do throws(MeterFailure) {
      return (try await choose(names), nil)
    } catch {
      guard names.count > 1 else { throw error }
      var choices: [BoardMeters.Choice] = []
      for name in names {
        do throws(MeterFailure) { choices += try await choose([name]) } catch {}
      }
      guard !choices.isEmpty else { throw error }
      return (choices, error)
    }
  }

  /// Opens the meters once, to see which rails there are.
  ///
  /// - Throws: why none can be opened; one of several is told with each job.
  func check(
    _ setup: Setup, through connection: any Connection, until deadline: Deadline
  ) async throws {
    let (meters, failures) = await open(setup.choices, through: connection, until: deadline)
    for meter in meters { await meter.close() }
    if meters.isEmpty, let first = failures.first { throw first }
    // Whether rails and inputs are named right cannot be told while some are away.
    guard meters.count == setup.wanted else { return }
    let rails = try self.rails(of: meters, isWhole: true)
    _ = try PhaseChannels(
      options.phases.inputs, on: meters.map { ($0.identity, $0.channels) })
    let derived = options.derived
    for name in derived.names + derived.ratios.values.flatMap({ [$0.output, $0.input] }) {
      _ = try derived.weights(of: name) { name throws(PlainFailure) in
        try rails.index(of: name, besides: derived.names)
      }
    }
  }

  /// Opens those that can be opened, and says what hinders the others.
  func open(
    _ choices: [BoardMeters.Choice], through connection: any Connection, until deadline: Deadline
  ) async -> (meters: [any Meter], failures: [MeterFailure]) {
    var (meters, failures): ([any Meter], [MeterFailure]) = ([], [])
    for choice in choices {
      do throws(MeterFailure) {
        meters.append(
          try await choice.open(
            options.options(of: choice.driver), through: connection, until: deadline))
      } catch {
        failures.append(error)
      }
    }
    return (meters, failures)
  }

  /// - Parameter isWhole: whether none is missing, which was told.
  func rails(of meters: [any Meter], isWhole: Bool) throws -> MeasuredRails {
    let sites = try meters.map { meter in
      (
        identity: meter.identity,
        sites: try MeterSite.all(
          of: meter.channels, meter: meter.identity, assuming: options.voltage
        ).map(\.name)
      )
    }
    let chosen = options.sites.filter { site in
      isWhole || sites.contains { $0.sites.contains(site) }
    }
    return try MeasuredRails(sites, chosen: chosen)
  }

  /// A detached job is measured from outside.
  func checkLink(of job: JobContext) throws(PlainFailure) {
    guard job.spec.detached != nil else { return }
    let reading = setup.value.choices.filter { $0.driver.needsLink($0.options) }
    guard reading.isEmpty else {
      throw PlainFailure(
        .configuration,
        "the job is detached, and \(reading.map(\.name).joined(separator: ", ")) would be read through "
          + "the link to the board",
        hint: "measure from outside: with an instrument of this machine, or another board's meter "
          + "('iiod', 'command')")
    }
  }
}
