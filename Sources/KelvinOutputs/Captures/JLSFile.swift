internal import KelvinModel

/// Captures as JLS files, version 2, for Joulescope's viewer and pyjls.
///
/// A file is a header and chunks of 32 bytes and a payload each, with checksums; chunks of one sort
/// are linked to each other, and summaries with an index stand above the samples, so that a viewer
/// finds any stretch at any zoom. Source: jetperch/jls, include/jls/format.h (docs/captures.md).
public enum JLSFile {
  static let magic: [UInt8] = [
    0x6A, 0x6C, 0x73, 0x66, 0x6D, 0x74, 0x0D, 0x0A, 0x20, 0x0A, 0x20, 0x1A, 0x20, 0x20, 0xB2, 0x1C
  ]
  /// As version 0.17 of the library writes it: 1.0.0 of what it calls the format of JLS 2.
  static let version: UInt32 = 0x0100_0000

  /// What a chunk holds: `jls_tag_e`.
  enum Tag {
    static let source: UInt8 = 0x01
    static let signal: UInt8 = 0x02
    static let userData: UInt8 = 0x40
    static let end: UInt8 = 0xFF

    static func track(_ track: Track, _ part: Part) -> UInt8 {
      0x20 | track.rawValue << 3 | part.rawValue
    }
  }

  enum Track: UInt8 { case samples = 0, variableRate, annotations, utc }

  enum Part: UInt8 { case definition = 0, head, data, index, summary }

  /// `JLS_STORAGE_TYPE_*`
  enum Storage {
    static let text: UInt8 = 2
    static let json: UInt16 = 3
  }

  static let float32: UInt32 = 0x2004
  static let float64: UInt32 = 0x4004
  /// JLS counts UTC from 2018-01-01 in 2^-30 s; this is that day in seconds of 1970.
  static let epoch: Int64 = 1_514_764_800

  /// Samples in a chunk, samples in an entry of the first summary, entries in a summary, entries of
  /// one summary in an entry of the next: what the library takes for floats.
  static let samplesPerChunk = 8192
  static let samplesPerEntry = 128
  static let entriesPerSummary = 640
  static let entriesPerEntry = 20
  static let timeEntries = 100

  /// A wall time in nanoseconds since 1970 as JLS has it.
  static func time(_ wall: Int64) -> Int64 {
    let (seconds, rest) = wall.quotientAndRemainder(dividingBy: 1_000_000_000)
    return (seconds - epoch) << 30
      + Int64((Double(rest) * 0x1p30 / 1e9).rounded())
  }

  /// The inverse of ``time(_:)``; nil when it is out of reach.
  static func wall(_ time: Int64) -> Int64? {
    let seconds = time >> 30
    guard seconds.magnitude < 2_000_000_000 else { return nil }
    let rest = Double(time & 0x3FFF_FFFF) * 1e9 / 0x1p30
    return (seconds + epoch) * 1_000_000_000 + Int64(rest.rounded())
  }
}
