internal import KelvinConnections
public import KelvinModel
public import KelvinTargets

/// How late this process may notice that something on a board began or ended: each moment lies somewhere in a
/// round trip.
public struct WindowLatency: Sendable, Hashable {
  /// The best of three, in nanoseconds.
  public let roundTrip: Int64

  /// Asks the board for a small file, three times.
  public init(of target: Target, until deadline: Deadline) async throws {
    var best = Int64.max
    for _ in 0..<3 {
      let begin = MonotonicTime.now
      _ = try await target.connection.read(["/proc/sys/kernel/ostype"], until: deadline)
      best = min(best, MonotonicTime.now - begin)
    }
    roundTrip = best
  }

  /// Of a moment within half a round trip (JCGM 100:2008, 4.3.7), in nanoseconds.
  public var standardUncertainty: Double { Double(roundTrip) / 2 / 3.0.squareRoot() }

  /// By how much the board's wall clock is off this machine's at most, in seconds; nil when it does not say.
  public static func clockDistance(
    of target: Target, until deadline: Deadline
  ) async throws -> Double? {
    let before = MonotonicTime.wallNanoseconds
    let result = try await target.connection.execute(
      Command(["date", "+%s"], standardOutput: .capture(limit: 64)), until: deadline)
    let after = MonotonicTime.wallNanoseconds
    let text = String(decoding: result.standardOutput.bytes, as: UTF8.self).trimmingASCIIWhitespace
    guard let seconds = Double(text) else { return nil }
    // It is anywhere within its second.
    return max(abs(seconds - Double(after) / 1e9), abs(seconds + 1 - Double(before) / 1e9))
  }
}
