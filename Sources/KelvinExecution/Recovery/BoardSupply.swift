public import KelvinConnections
public import KelvinMeters
public import KelvinModel
internal import KelvinSystem
internal import KelvinTargets
internal import Synchronization

/// A board's supply, as one of its meters sees it.
///
/// The meter is opened for each use, and nothing of it is kept: others use it in between. Used by one thread at
/// a time.
public struct BoardSupply: Sendable {
  public let description: SupplyDescription
  let board: String
  private let meters: BoardMeters
  private let connection: any Connection

  /// - Parameter connection: to the board, for meters that are on it.
  public init(
    _ description: SupplyDescription, of board: String, meters: BoardMeters,
    through connection: any Connection
  ) {
    self.description = description
    self.board = board
    self.meters = meters
    self.connection = connection
  }

  // MARK: Brown-outs

  /// Begins to look at its voltage, until the watch is stopped.
  ///
  /// - Parameter found: called once, on the meter's thread, at the first sample below the limit.
  /// - Throws: ``MeterFailure`` when the meter cannot tell.
  func watch(
    until deadline: Deadline, _ found: @escaping @Sendable (Finding) -> Void
  ) async throws(MeterFailure) -> SupplyWatch {
    let meter = try await open(until: deadline)
    do throws(MeterFailure) {
      let index = try channel(.voltage, description.voltage, of: meter)
      let watch = SupplyWatch(
        meter, index, limit: description.brownOut ?? 0, board: board,
        name: description.meter, found: found)
      try await meter.start(into: watch, until: deadline)
      return watch
    } catch {
      await meter.close()
      throw error
    }
  }

  // MARK: Discharge

  /// Waits until its board counts as off.
  ///
  /// - Throws: when it does not in time, with what the meter read last; when the meter cannot tell.
  func waitUntilOff(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let left: String
    do throws(MeterFailure) {
      guard let charge = try await charge(until: deadline) else {
        return PowerReading(.off, .measured)
      }
      left = charge
    } catch {
      throw PowerFailure(
        .infrastructure, "its meter cannot tell that it is off: \(error.message)",
        evidence: error.evidence, hint: error.hint)
    }
    if deadline.isInterrupted {
      throw PowerFailure(.infrastructure, "stopped while its supply was measured")
    }
    throw PowerFailure(
      .infrastructure,
      "switched off, and still not discharged after \(Int(description.offSeconds)) s, says "
        + "'\(description.meter)': \(left)",
      hint:
        "does a serial adapter, USB or HDMI feed it? else allow more: 'supply: {off_timeout: ...}'")
  }

  /// Measures until its board counts as off, or the time is over.
  ///
  /// - Returns: what the meter read last; nil when the board is off.
  private func charge(until deadline: Deadline) async throws(MeterFailure) -> String? {
    let meter = try await open(until: deadline)
    do throws(MeterFailure) {
      let level = SupplyLevel(try limits(of: meter))
      let end = deadline.limited(toSeconds: description.offSeconds)
      try await meter.start(into: level, until: end)
      _ = end.ended(by: [level.reached]).wait()
      let summary = await meter.stop(until: .after(seconds: 10))
      await meter.close()
      if level.reached.isRaised { return nil }
      if let failure = summary.failure { throw failure }
      return level.text
    } catch {
      await meter.close()
      throw error
    }
  }

  private func limits(of meter: any Meter) throws(MeterFailure) -> [SupplyLevel.Limit] {
    var limits: [SupplyLevel.Limit] = []
    if let limit = description.offVoltage {
      let index = try channel(.voltage, description.voltage, of: meter)
      limits.append(.init(index: index, channel: meter.channels[index], limit: limit))
    }
    if let limit = description.offCurrent {
      let index = try channel(.current, description.current, of: meter)
      limits.append(.init(index: index, channel: meter.channels[index], limit: limit))
    }
    return limits
  }

  // MARK: The meter

  private func open(until deadline: Deadline) async throws(MeterFailure) -> any Meter {
    let choices = try await meters.choose(
      [description.meter], through: connection, on: board, until: deadline)
    guard let choice = choices.first else {
      throw MeterFailure(.notFound, "\(description.meter): no such meter")
    }
    return try await choice.open(through: connection, until: deadline)
  }

  /// The channel that is named, or the only one of its kind.
  private func channel(
    _ kind: MeterChannel.Kind, _ name: String?, of meter: any Meter
  ) throws(MeterFailure) -> Int {
    let all = meter.channels.indices.filter { meter.channels[$0].kind == kind }
    let names = all.map { meter.channels[$0].name }
    if let name {
      guard let index = all.first(where: { meter.channels[$0].name == name }) else {
        throw MeterFailure(
          .notFound, "\(description.meter): measures no \(kind.rawValue) '\(name)'",
          hint: names.isEmpty ? "" : "it has \(names.joined(separator: ", "))")
      }
      return index
    }
    guard let index = all.first else {
      throw MeterFailure(.notFound, "\(description.meter): measures no \(kind.rawValue)")
    }
    guard all.count == 1 else {
      throw MeterFailure(
        .invalid, "\(description.meter): measures several of \(kind.rawValue)",
        hint: "say which: 'supply: {\(kind.rawValue): \(names[0])}'; it has "
          + names.joined(separator: ", "))
    }
    return index
  }
}

/// Whether a supply's last values are all at or below their limits.
final class SupplyLevel: BlockSink {
  struct Limit: Sendable {
    var index: Int
    var channel: Channel
    var limit: Double
  }
  /// Raised when they are.
  let reached = Interrupt()
  private let limits: [Limit]
  private let last: Mutex<[Double?]>

  init(_ limits: [Limit]) {
    self.limits = limits
    last = Mutex(limits.map { _ in nil })
  }

  func take(_ blocks: [SampleBlock]) {
    let isOff = last.withLock { last in
      for block in blocks {
        guard let code = block.codes.last else { continue }
        for (place, limit) in limits.enumerated() where limit.index == block.channel {
          last[place] = limit.channel.value(of: code)
        }
      }
      return zip(last, limits).allSatisfy { value, limit in value.map { $0 <= limit.limit } ?? false
      }
    }
    if isOff { reached.raise() }
  }

  func take(_ event: CaptureEvent) {}

  /// `in1 2.13 V, and off is 0.3 V`.
  var text: String {
    let last = last.withLock { $0 }
    return zip(last, limits).map { value, limit in
      let unit = limit.channel.unit
      let read = value.map { FigureText.quantity($0, unit) } ?? "nothing"
      return "\(limit.channel.name) reads \(read), off is \(FigureText.quantity(limit.limit, unit))"
    }.joined(separator: "; ")
  }
}
