internal import KelvinModel

/// Makes samples of what a stream gives that is known to be in order. Used by one thread.
protocol FrameDecoder {
  /// Makes samples, of all channels.
  ///
  /// - Parameters:
  ///   - frames: as they were sent, whole ones, as many as times.
  ///   - times: on the meter's own clock.
  mutating func decode(_ frames: Span<UInt8>, at times: SampleTimes) -> DecodedFrames
  /// Forgets what came before: behind a loss.
  mutating func restart()
  /// What else it counted, for the capture's record.
  var counts: [String: Value] { get }
}

/// What some frames of a stream hold.
struct DecodedFrames {
  /// Of each channel; channels without a change may have none.
  var blocks: [SampleBlock] = []
  /// What the samples do not show.
  var events: [CaptureEvent] = []
}
