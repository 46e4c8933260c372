internal import KelvinModel

extension SampleBlock {
  /// Without the samples that are no numbers, whose codes are .min, and an event that tells of those.
  ///
  /// - Returns: no block when none is a number, no event when all are.
  func whole() -> (block: SampleBlock?, event: CaptureEvent?) {
    let bad = codes.indices.filter { codes[$0] == .min }
    guard let first = bad.first, let last = bad.last else { return (self, nil) }
    let times = times.array
    let event = CaptureEvent(
      .error, channel: channel, from: times[first], to: times[last], count: Int64(bad.count),
      note: "no number")
    let good = codes.indices.filter { codes[$0] != .min }
    guard !good.isEmpty else { return (nil, event) }
    return (
      SampleBlock(
        channel: channel, times: good.map { times[$0] }, codes: good.map { codes[$0] }), event
    )
  }
}
