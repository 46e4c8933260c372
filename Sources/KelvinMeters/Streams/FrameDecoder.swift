package import KelvinModel

/// Makes samples of what a stream gives that is known to be in order. Used by one thread.
package protocol FrameDecoder {
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
package struct DecodedFrames {
  /// Of each channel; channels without a change may have none.
  package var blocks: [SampleBlock] = []
  /// What the samples do not show.
  package var events: [CaptureEvent] = []

  /// Describes them.
  package init(blocks: [SampleBlock] = [], events: [CaptureEvent] = []) {
    self.blocks = blocks
    self.events = events
  }
}
