internal import KelvinDevices
internal import KelvinModel

/// Replies that made no sense. A few are told; many in a row end a capture.
struct KM003CDamage {
  private(set) var count: Int64 = 0
  private var inARow = 0

  private static let most = 8

  /// A reply that made sense.
  mutating func clear() { inARow = 0 }

  /// One that did not.
  ///
  /// - Throws: `malfunction` when there were too many in a row.
  mutating func take(_ what: String, _ reply: [UInt8], of name: String) throws(MeterFailure) {
    count += 1
    inARow += 1
    guard inARow >= Self.most else { return }
    throw MeterFailure(
      .malfunction, "\(name): \(inARow) replies in a row make no sense: \(what)",
      evidence: Excerpt.hex(reply), hint: "is it a POWER-Z? unplug it and plug it in again")
  }

  /// What is wrong with one.
  static func words(_ mistake: KM003CReply.Mistake) -> String {
    switch mistake {
    case .truncated: "it is shorter than it says"
    case .tail(let count): "it has \(count) bytes more than it says"
    case .sampleSize(let size): "it has samples of \(size) bytes"
    }
  }
}
