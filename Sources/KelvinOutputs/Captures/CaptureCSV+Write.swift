internal import KelvinModel

/// Captures as comma-separated values.
///
/// Lines that start with `#` are about the file: the first is a ``CaptureHeader``, whose key `start`
/// is the host's monotonic time of the first sample; the last counts the rows, so that a cut file is
/// known. Then one line of names with their units, and a row for each time at which any channel was
/// sampled: seconds since the start with all nine decimals, and each channel's value with as many
/// digits as it takes to get the same double again. An empty cell: not sampled at that time. `nan`:
/// a gap, in a row halfway through it, so that plots break there and nothing is joined by accident.
public enum CaptureCSV {
  /// Writes a capture.
  ///
  /// - Throws: what the source's walk throws, or ``OutputFailure``.
  public static func write(_ source: CaptureSource, to file: ExportFile) throws {
    let described = source.describedOnHostClock
    let start = try source.firstTime() ?? 0
    try file.write("# " + CaptureHeader.text(described, adding: ["start": .integer(start)]) + "\n")
    var names = "time [s]"
    for channel in source.channels {
      let unit = channel.unit.isEmpty ? "" : " [\(channel.unit)]"
      names += "," + quoted(channel.name.oneLine + unit.oneLine)
    }
    try file.write(names + "\n")
    var readers: [ChannelReader] = []
    for index in source.channels.indices {
      readers.append(
        try ChannelReader(
          cursor: source.cursor(index), channel: source.channels[index], clock: source.clock))
    }
    var gaps = described.events.filter { $0.kind.isGap }.sorted { $0.from < $1.from }[...]
    var rows = 0
    var row: [UInt8] = []
    while true {
      let next = readers.lazy.compactMap(\.time).min()
      row.removeAll(keepingCapacity: true)
      if let gap = gaps.first, (gap.from + gap.to) / 2 < next ?? .max {
        gaps.removeFirst()
        append(time: (gap.from + gap.to) / 2 - start, to: &row)
        for index in readers.indices {
          row.append(UInt8(ascii: ","))
          if gap.channel ?? index == index { row.append(contentsOf: "nan".utf8) }
        }
      } else if let next {
        append(time: next - start, to: &row)
        for index in readers.indices {
          row.append(UInt8(ascii: ","))
          guard readers[index].time == next else { continue }
          row.append(contentsOf: "\(readers[index].value)".utf8)
          try readers[index].advance()
        }
      } else {
        break
      }
      row.append(UInt8(ascii: "\n"))
      try file.write(row)
      rows += 1
    }
    try file.write("# end: \(rows) rows\n")
  }

  /// Appends nanoseconds as seconds.
  private static func append(time: Int64, to row: inout [UInt8]) {
    if time < 0 { row.append(UInt8(ascii: "-")) }
    let (seconds, rest) = time.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
    row.append(contentsOf: String(seconds).utf8)
    row.append(UInt8(ascii: "."))
    let digits = String(rest)
    row.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 9 - digits.utf8.count))
    row.append(contentsOf: digits.utf8)
  }

  private static func quoted(_ name: String) -> String {
    name.contains { $0 == "," || $0 == "\"" || $0 == "#" }
      ? "\"" + name.replacing("\"", with: "\"\"") + "\"" : name
  }
}

/// The samples of a channel, one by one.
struct ChannelReader {
  private var cursor: any BlockCursor
  private let channel: Channel
  private let clock: ClockFit
  private var block: SampleBlock?
  private var index = 0
  /// Of the present sample, on the host's clock; nil after the last.
  private(set) var time: Int64?

  init(cursor: any BlockCursor, channel: Channel, clock: ClockFit) throws {
    self.cursor = cursor
    self.channel = channel
    self.clock = clock
    index = -1
    try advance()
  }

  /// The present sample's value.
  var value: Double { block.map { channel.value(of: $0.codes[index]) } ?? .nan }

  /// Goes to the next sample.
  mutating func advance() throws {
    index += 1
    while index >= block?.times.count ?? 0 {
      block = try cursor.next()
      index = 0
      guard block != nil else {
        time = nil
        return
      }
    }
    time = block.map { clock.host($0.times[index]) }
  }
}
