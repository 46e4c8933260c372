public import KelvinModel
internal import Synchronization

/// What follows the power of a site, over time: the sink of an alignment.
///
/// A power where there is one, the mean between two readings of an energy counter, or a current alone, which
/// steps with it.
public final class PowerTrace: BlockSink {
  /// The channel that is taken.
  public let channel: Int
  private let scale: Channel
  private let state = Mutex(
    (times: [Int64](), values: [Double](), last: (time: Int64, code: Int64)?.none))

  /// A day at 10 kHz is not for memory: so many values are kept.
  private static let most = 1 << 24

  /// - Parameter name: of a channel; nil for the best there is.
  /// - Throws: `invalid` without such a channel, `unsupported` when none follows the power.
  public init(
    of channels: [Channel], named name: String?, meter: String
  ) throws(MeterFailure) {
    let fitting = channels.indices.filter { index in
      let channel = channels[index]
      return channel.kind == .power || channel.kind == .current
        || channel.kind == .energy && channel.wrap != nil
    }
    if let name {
      guard let index = fitting.first(where: { channels[$0].name == name }) else {
        throw MeterFailure(
          .invalid, "\(meter): it has no channel '\(name)' that follows the power",
          hint: "it has " + fitting.map { channels[$0].name }.joined(separator: ", "))
      }
      channel = index
    } else {
      let best =
        fitting.first { channels[$0].kind == .power } ?? fitting.first {
          channels[$0].kind == .current
        }
        ?? fitting.first
      guard let best else {
        throw MeterFailure(
          .unsupported, "\(meter): none of its channels follows the power",
          hint: "it has " + channels.map(\.name).joined(separator: ", "))
      }
      channel = best
    }
    scale = channels[channel]
  }

  public func take(_ blocks: [SampleBlock]) {
    state.withLock { state in
      for block in blocks where block.channel == channel {
        for (place, code) in block.codes.enumerated() where place < block.times.count {
          let time = block.times[place]
          defer { state.last = (time, code) }
          guard state.times.count < Self.most else { continue }
          guard scale.wrap != nil else {
            guard time > state.times.last ?? .min else { continue }
            state.times.append(time)
            state.values.append(scale.value(of: code))
            continue
          }
          guard let last = state.last, time > last.time, code >= last.code else { continue }
          state.times.append(last.time + (time - last.time) / 2)
          state.values.append(
            Double(code - last.code) * scale.scale / Double(time - last.time) * 1e9)
        }
      }
    }
  }

  public func take(_ event: CaptureEvent) {}

  /// On the host's clock, ascending, and in watts, or amperes.
  public func samples(_ clock: ClockFit) -> (times: [Int64], values: [Double]) {
    state.withLock { ($0.times.map(clock.host), $0.values) }
  }

  /// How many came.
  public var count: Int { state.withLock { $0.times.count } }
}
