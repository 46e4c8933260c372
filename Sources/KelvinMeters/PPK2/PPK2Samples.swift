internal import KelvinModel

/// Turns samples of a PPK2 that are known to be in order into blocks of its channels: the current, digital
/// inputs, and the voltage that nobody measures. Used by one thread.
struct PPK2Samples: FrameDecoder {
  private var decoder: PPK2Decoder
  private let inputs: [Int]
  private var lines: DigitalLines
  private let millivolts: Int64?
  private var switches: Int64 = 0
  private var saturated: Int64 = 0

  /// - Parameters:
  ///   - inputs: that are recorded, by their numbers.
  ///   - millivolts: what the board is supplied with; nil: nobody has said.
  init(_ decoder: PPK2Decoder, inputs: [Int], millivolts: Int64?) {
    self.decoder = decoder
    self.inputs = inputs
    self.millivolts = millivolts
    lines = DigitalLines(channels: inputs.indices.map { 1 + $0 })
  }

  mutating func decode(_ frames: Span<UInt8>, at times: SampleTimes) -> DecodedFrames {
    var notes = PPK2Decoder.Notes()
    let codes = [Int64](capacity: times.count) { output in
      notes = decoder.decode(frames.bytes, into: &output)
    }
    var decoded = DecodedFrames(blocks: [SampleBlock(channel: 0, times: times, codes: codes)])
    if !inputs.isEmpty { decoded.blocks += lines.take(levels(frames).span, times) }
    if let millivolts {
      // What it is told to supply, or what somebody said; it costs no space, and power needs no pairing.
      decoded.blocks.append(
        SampleBlock(
          channel: 1 + inputs.count, times: times,
          codes: [Int64](repeating: millivolts, count: times.count)))
    }
    decoded.events = report(notes, times)
    return decoded
  }

  /// The inputs that are recorded, a bit for each, sample by sample.
  private func levels(_ bytes: Span<UInt8>) -> [UInt32] {
    (0..<bytes.count / PPK2Word.size).map { sample in
      let all = UInt32(bytes[sample * PPK2Word.size + 3])
      var chosen: UInt32 = 0
      for (place, input) in inputs.enumerated() {
        chosen |= (all >> UInt32(input) & 1) << UInt32(place)
      }
      return chosen
    }
  }

  private mutating func report(
    _ notes: PPK2Decoder.Notes, _ times: SampleTimes
  ) -> [CaptureEvent] {
    var events: [CaptureEvent] = []
    if notes.saturated.count > 0 {
      saturated += Int64(notes.saturated.count)
      events.append(
        CaptureEvent(
          .saturation, channel: 0, from: times[notes.saturated.first],
          to: times[notes.saturated.last], count: Int64(notes.saturated.count)))
    }
    if notes.switched.count > 0 {
      switches += Int64(notes.switched.count)
      events.append(
        CaptureEvent(
          .rangeSwitch, channel: 0, from: times[notes.switched.first],
          to: times[notes.switched.last], count: Int64(notes.switched.count)))
    }
    return events
  }

  mutating func restart() {
    decoder.restart()
    lines.lose()
  }

  var counts: [String: Value] {
    var counts: [String: Value] = ["range switches": .integer(switches)]
    if saturated > 0 { counts["saturated"] = .integer(saturated) }
    return counts
  }
}
