internal import KelvinConnections
internal import KelvinMeters
internal import KelvinModel
internal import Synchronization

/// Looks at the voltage of a board's supply while a job runs, on the meter's own thread.
final class SupplyWatch: BlockSink {
  private let meter: any Meter
  private let index: Int
  private let channel: Channel
  private let limit: Double
  private let board: String
  private let name: String
  private let found: @Sendable (Finding) -> Void

  private struct Seen {
    var samples: Int64 = 0
    var below: Int64 = 0
    var lowest = Double.infinity
  }
  private let seen = Mutex(Seen())

  /// - Parameters:
  ///   - index: of the voltage's channel.
  ///   - limit: in volts.
  ///   - name: the meter's in the bench file.
  init(
    _ meter: any Meter, _ index: Int, limit: Double, board: String, name: String,
    found: @escaping @Sendable (Finding) -> Void
  ) {
    self.meter = meter
    self.index = index
    channel = meter.channels[index]
    self.limit = limit
    self.board = board
    self.name = name
    self.found = found
  }

  func take(_ blocks: [SampleBlock]) {
    for block in blocks where block.channel == index {
      var lowest = Double.infinity
      var below: Int64 = 0
      for code in block.codes {
        let value = channel.value(of: code)
        lowest = min(lowest, value)
        if value < limit { below += 1 }
      }
      let isFirst = seen.withLock { seen in
        defer {
          seen.samples += Int64(block.codes.count)
          seen.below += below
          seen.lowest = min(seen.lowest, lowest)
        }
        return below > 0 && seen.below == 0
      }
      if isFirst { found(finding(lowest)) }
    }
  }

  func take(_ event: CaptureEvent) {}

  private func finding(_ value: Double) -> Finding {
    Finding(
      .brownOut, .fatal,
      "\(board): its supply browns out: \(FigureText.quantity(value, channel.unit)), and it needs "
        + FigureText.quantity(limit, channel.unit),
      evidence: ["meter '\(name)', channel '\(channel.name)'"])
  }

  /// Ends it.
  ///
  /// - Returns: what else is to be said: how low it came, that the meter did not see everything.
  func stop(until deadline: Deadline) async -> [String] {
    let summary = await meter.stop(until: deadline)
    await meter.close()
    let seen = seen.withLock { $0 }
    var notes: [String] = []
    if seen.below > 0 {
      notes.append(
        "\(board): \(seen.below) of \(seen.samples) samples of its supply were below "
          + "\(FigureText.quantity(limit, channel.unit)), the lowest "
          + FigureText.quantity(seen.lowest, channel.unit))
    }
    if let failure = summary.failure {
      notes.append("\(board): its supply was not watched to the end: \(failure.message)")
    } else if seen.samples == 0 {
      notes.append("\(board): its supply was not watched: '\(name)' gave no sample")
    }
    return notes
  }
}
