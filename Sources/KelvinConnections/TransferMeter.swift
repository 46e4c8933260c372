internal import KelvinModel
internal import KelvinSystem

/// Says how far a transfer is, some ten times a second.
final class TransferMeter {
  private let total: Int64?
  private let progress: TransferProgress?
  private var next = MonotonicTime.now

  init(total: Int64?, _ progress: TransferProgress?) {
    self.total = total
    self.progress = progress
  }

  func tell(_ count: Int64) {
    guard let progress, case let now = MonotonicTime.now, now >= next else { return }
    next = MonotonicTime(nanoseconds: now.nanoseconds + 100_000_000)
    progress(count, total)
  }

  func finish(_ count: Int64) { progress?(count, count) }
}
