internal import KelvinModel

extension JLSFile {
  /// By how much a sample's time may be off what the file says, in nanoseconds.
  static let tolerance: Int64 = 1000

  /// Writes a capture, each channel as a signal of 64-bit floats.
  ///
  /// Samples at a fixed rate stand in their places, missing ones as NaN. Others follow each other
  /// without places for what is missing, and times of samples (the UTC track) say when each was taken,
  /// within a microsecond.
  /// - Returns: what the file does not hold of the capture, for a person.
  /// - Throws: ``CaptureFileFailure`` for more than 255 channels; what the source's walk throws;
  ///   ``OutputFailure``.
  public static func write(_ source: CaptureSource, to file: ExportFile) throws -> [String] {
    guard source.channels.count < 256 else {
      throw CaptureFileFailure(
        .notRepresentable, "\(source.channels.count) channels; JLS takes up to 255",
        hint: "export as csv")
    }
    var chunks = try JLSChunkWriter(file)
    try chunks.append(Tag.userData, meta: 0, [], chain: .userData)
    try definitions(source, &chunks)
    var notes: [String] = []
    if source.reference == nil {
      notes.append("no wall time is known: UTC counts from 2018-01-01 at the host's time 0")
    }
    var layouts: [Value] = []
    var tracks: [SignalTracks] = []
    for index in source.channels.indices {
      let grid = try SampleGrid.find(source, channels: [index])
      let isRegular = grid.map { $0.deviation <= tolerance } ?? false
      var layout: [String: Value] = ["regular": .boolean(isRegular)]
      if let grid, isRegular {
        layout["origin"] = .integer(grid.origin)
        layout["rate"] = .integer(Int64(grid.rate))
        if grid.deviation > 1 {
          let name = source.channels[index].name
          notes.append("\(name): times changed by up to \(grid.deviation) ns")
        }
      } else {
        notes.append(
          "\(source.channels[index].name): no fixed rate; viewers show its samples evenly spaced "
            + "between the times that the file has of them")
      }
      layouts.append(.map(layout))
      tracks.append(
        try define(index, source, isRegular ? grid : nil, rate: grid?.rate ?? 1, &chunks))
    }
    // Before the samples, so that a file that is cut still says what they are.
    let text = CaptureHeader.text(source, adding: ["signals": .list(layouts)])
    try chunks.append(
      Tag.userData, meta: Storage.json << 12, Array(text.utf8.filter { $0 != 0 }) + [0],
      chain: .userData)
    for index in source.channels.indices { try signal(index, source, tracks[index], &chunks) }
    try chunks.finish()
    return notes
  }

  // MARK: - Definitions

  /// A text as definitions have it.
  private static func text(_ text: String) -> [UInt8] {
    Array(text.utf8.filter { $0 != 0 && $0 != 0x1F }) + [0, 0x1F]
  }

  private static func definitions(
    _ source: CaptureSource, _ chunks: inout JLSChunkWriter
  ) throws {
    func sourceDefinition(_ texts: [String]) -> [UInt8] {
      [UInt8](repeating: 0, count: 64) + texts.flatMap(text)
    }
    try chunks.append(
      Tag.source, meta: 0,
      sourceDefinition(["global_annotation_source", "jls", "-", "1.0.0", "-"]), chain: .sources)
    // The signal 0 that every file has, for annotations of the whole.
    try chunks.append(
      Tag.signal, meta: 0,
      signalDefinition(
        source: 0, type: 1, data: 0x2004, numbers: [0, 16, 16, 10, 10],
        name: "global_annotation_signal", unit: ""), chain: .signals)
    for track in [Track.variableRate, .annotations] {
      let head = try JLSTrackHead(signal: 0, track: track, &chunks)
      try head.finish(&chunks)
    }
    let meter = source.meter
    try chunks.append(
      Tag.source, meta: 1,
      sourceDefinition([
        meter?.name ?? source.name, meter?.driver ?? "Kelvin", meter?.model ?? "",
        meter?.firmware ?? "", meter?.serial ?? ""
      ]), chain: .sources)
  }

  /// - Parameter numbers: rate, samples a chunk, samples an entry, entries a summary, entries an
  ///   entry.
  private static func signalDefinition(
    source: UInt16, type: UInt8, data: UInt32, numbers: [Int], name: String, unit: String
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: source)
    bytes += [type, 0]
    bytes.append(littleEndian: data)
    for number in numbers + [timeEntries, timeEntries] {
      bytes.append(littleEndian: UInt32(number))
    }
    // The number of the first sample, and what is reserved.
    bytes += [UInt8](repeating: 0, count: 92)
    return bytes + text(name) + text(unit)
  }

  // MARK: - Samples

  /// What a signal's samples, events and times go to.
  private struct SignalTracks {
    var grid: SampleGrid?
    var rate: Int
    var samples: JLSSampleTrack
    var notes: JLSEntryTrack
    var times: JLSEntryTrack
  }

  private static func define(
    _ index: Int, _ source: CaptureSource, _ grid: SampleGrid?, rate: Int,
    _ chunks: inout JLSChunkWriter
  ) throws -> SignalTracks {
    let channel = source.channels[index]
    let id = index + 1
    try chunks.append(
      Tag.signal, meta: UInt16(id),
      signalDefinition(
        source: 1, type: 0, data: float64,
        numbers: [rate, samplesPerChunk, samplesPerEntry, entriesPerSummary, entriesPerEntry],
        name: channel.name, unit: channel.unit), chain: .signals)
    return SignalTracks(
      grid: grid, rate: rate,
      samples: JLSSampleTrack(try JLSTrackHead(signal: id, track: .samples, &chunks)),
      notes: JLSEntryTrack(try JLSTrackHead(signal: id, track: .annotations, &chunks)),
      times: JLSEntryTrack(try JLSTrackHead(signal: id, track: .utc, &chunks)))
  }

  private static func signal(
    _ index: Int, _ source: CaptureSource, _ tracks: SignalTracks, _ chunks: inout JLSChunkWriter
  ) throws {
    let channel = source.channels[index]
    let (grid, rate) = (tracks.grid, tracks.rate)
    var (samples, notes, times) = (tracks.samples, tracks.notes, tracks.times)
    func utc(_ time: Int64) -> Int64 {
      let host = source.clock.host(time)
      return self.time(source.wall(host) ?? host &+ epoch * 1_000_000_000)
    }
    // Each event stands at one signal: its own, or for all channels the first.
    var events = source.events.filter { $0.channel ?? 0 == index }.sorted { $0.from < $1.from }[...]
    var anchors = TimeAnchors(step: grid?.step ?? 1e9 / Double(rate))
    var place = 0
    try source.forEachBlock(index) { block in
      for (number, code) in block.codes.enumerated() {
        let time = block.times[number]
        if let grid {
          let own = grid.place(time)
          while place < own {
            try samples.append(.nan, &chunks)
            place += 1
          }
        }
        while let event = events.first, event.from <= time {
          try notes.append(
            title(event), kind: event.kind == .mark ? 2 : 1, sample: Int64(place), &chunks)
          events.removeFirst()
        }
        for anchor in anchors.add(place, time, isExact: grid != nil) {
          try times.append(utc: utc(anchor.time), sample: Int64(anchor.place), &chunks)
        }
        try samples.append(channel.value(of: code), &chunks)
        place += 1
      }
    }
    if let anchor = anchors.finish() {
      try times.append(utc: utc(anchor.time), sample: Int64(anchor.place), &chunks)
    }
    for event in events {
      try notes.append(
        title(event), kind: event.kind == .mark ? 2 : 1, sample: Int64(max(0, place - 1)), &chunks)
    }
    try samples.finish(&chunks)
    try notes.finish(&chunks)
    try times.finish(&chunks)
  }

  private static func title(_ event: CaptureEvent) -> String {
    var title = event.note.isEmpty ? event.kind.rawValue : event.note
    if let count = event.count { title += " (\(count))" }
    return title
  }
}

/// Picks the samples whose times a file needs so that all others follow by straight lines between
/// them.
struct TimeAnchors {
  struct Anchor: Equatable {
    var place: Int
    var time: Int64
  }

  private let step: Double
  private var last: Anchor?
  private var latest: Anchor?

  /// - Parameter step: the expected distance of samples in nanoseconds.
  init(step: Double) { self.step = step }

  /// Takes a sample; gives the anchors that it makes necessary.
  ///
  /// - Parameter isExact: whether samples keep to the step, so that the first and last are enough.
  mutating func add(_ place: Int, _ time: Int64, isExact: Bool) -> [Anchor] {
    let new = Anchor(place: place, time: time)
    defer { latest = new }
    guard let last else {
      self.last = new
      return [new]
    }
    if isExact { return [] }
    let expected = Double(place - last.place) * step
    guard abs(expected - Double(time - last.time)) > Double(JLSFile.tolerance) / 2 else {
      return []
    }
    // The line to the new anchor begins at the sample before it.
    let before = latest.flatMap { $0.place > last.place ? [$0] : nil } ?? []
    self.last = new
    return before + [new]
  }

  /// The last sample, unless it is an anchor already.
  func finish() -> Anchor? { latest == last ? nil : latest }
}
