package import KelvinModel

/// Turns frames of an Energy Probe that are known to be in order into samples of its channels. Codes are
/// as they were sent. Used by one thread.
package struct EnergyProbeDecoder: FrameDecoder {
  private let fields: Int
  private var saturated: Int64 = 0

  /// The highest code: what is more, it cannot tell.
  private static let greatest: Int64 = 65_535

  /// - Parameter fields: values of a frame.
  package init(fields: Int) { self.fields = fields }

  package mutating func decode(_ frames: Span<UInt8>, at times: SampleTimes) -> DecodedFrames {
    let size = 2 * (1 + fields)
    precondition(frames.count == times.count * size)
    var decoded = DecodedFrames()
    for field in 0..<fields {
      var greatest: Int64 = 0
      let codes = [Int64](capacity: times.count) { output in
        greatest = Self.read(frames.bytes, field: field, size: size, into: &output)
      }
      decoded.blocks.append(SampleBlock(channel: field, times: times, codes: codes))
      if greatest == Self.greatest {
        decoded.events.append(saturation(of: field, codes, times))
      }
    }
    return decoded
  }

  /// Reads one field of each frame.
  ///
  /// - Returns: the greatest code.
  private static func read(
    _ bytes: RawSpan, field: Int, size: Int, into codes: inout OutputSpan<Int64>
  ) -> Int64 {
    precondition(bytes.byteCount % size == 0 && codes.freeCapacity >= bytes.byteCount / size)
    var greatest: Int64 = 0
    // A field lies within its frame, and the bytes are whole frames.
    var place = 2 * (1 + field)
    for _ in 0..<bytes.byteCount / size {
      let code = Int64(
        UInt16(
          littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: place, as: UInt16.self)))
      codes.append(code)
      greatest = max(greatest, code)
      place &+= size
    }
    return greatest
  }

  private mutating func saturation(
    of field: Int, _ codes: [Int64], _ times: SampleTimes
  ) -> CaptureEvent {
    let first = codes.firstIndex(of: Self.greatest) ?? 0
    let last = codes.lastIndex(of: Self.greatest) ?? first
    let count = codes.reduce(0) { $0 + ($1 == Self.greatest ? 1 : 0) }
    saturated += Int64(count)
    return CaptureEvent(
      .saturation, channel: field, from: times[first], to: times[last], count: Int64(count))
  }

  /// Nothing is carried over from one frame to the next.
  package mutating func restart() {}

  package var counts: [String: Value] { saturated > 0 ? ["saturated": .integer(saturated)] : [:] }
}
