internal import KelvinModel

/// Captures as `.ppk2` files of Nordic's Power Profiler app.
///
/// A zip with `session.raw` (six bytes a sample: microamperes as a single float, little-endian, and two
/// bits for each of eight inputs, big-endian: 01 is low, 10 high, 00 unknown), `metadata.json` (format
/// version 2) and `minimap.raw` (JSON: least and greatest values of up to 10,000 stretches, for the
/// overview). Source: NordicSemiconductor/pc-nrfconnect-ppk, src/utils (docs/captures.md). A member
/// `kelvin.json`, which the app does not look at, keeps what the format has no place for.
public enum PPK2File {
  private static let frame = 6
  private static let chunk = 1 << 16

  /// Writes the one channel of current, and up to eight logic channels.
  ///
  /// - Returns: what the file does not hold of the capture, for a person.
  /// - Throws: ``CaptureFileFailure`` when the capture has no channel of current or several, or no
  ///   fixed rate; what the source's walk throws; ``OutputFailure``.
  public static func write(_ source: CaptureSource, to file: ExportFile) throws -> [String] {
    let currents = source.channels.indices.filter {
      source.channels[$0].kind == .current && source.channels[$0].unit == "A"
    }
    guard currents.count == 1 else {
      throw CaptureFileFailure(
        .notRepresentable,
        "\(currents.count) channels of current in amperes; a .ppk2 file holds exactly one",
        hint: "export as csv or jls")
    }
    let logic = source.channels.indices.filter { source.channels[$0].kind == .logic }.prefix(8)
    let channels = currents + logic
    guard let grid = try SampleGrid.find(source, channels: channels) else {
      throw CaptureFileFailure(
        .notRepresentable, "the samples have no fixed rate, which a .ppk2 file wants",
        hint: "export as csv or jls")
    }
    var notes = ["currents were rounded to single precision"]
    if grid.deviation > 1 { notes.append("times changed by up to \(grid.deviation) ns") }
    let left = source.channels.indices.filter { !channels.contains($0) }
    if !left.isEmpty {
      notes.append("left out: " + left.map { source.channels[$0].name }.joined(separator: ", "))
    }
    var zip = ZipWriter(file)
    var minimap = Minimap()
    try zip.begin("session.raw")
    var readers = try channels.map { try GridReader(source, channel: $0, grid: grid) }
    for start in stride(from: 0, to: grid.count, by: chunk) {
      let count = min(chunk, grid.count - start)
      let values = try readers.indices.map { try readers[$0].next(count) }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count * frame)
      for place in 0..<count {
        let current = Float(values[0][place] * 1e6)
        bytes.append(littleEndian: current)
        minimap.add(Double(current), at: Double(start + place) * grid.step / 1000)
        var bits: UInt16 = 0
        for input in logic.indices {
          let level = values[input - logic.startIndex + 1][place]
          if !level.isNaN { bits |= (level == 0 ? 1 : 2) << UInt16(2 * (input - logic.startIndex)) }
        }
        bytes.append(littleEndian: bits.byteSwapped)
      }
      try zip.write(bytes)
    }
    try zip.end()
    let start = source.wall(source.clock.host(grid.origin)).map { $0 / 1_000_000 } ?? 0
    let metadata = Value.map([
      "formatVersion": 2,
      "metadata": .map([
        "samplesPerSecond": .integer(Int64(grid.rate)), "startSystemTime": .integer(start)
      ])
    ])
    try zip.add("metadata.json", Array(metadata.json.utf8))
    try zip.add("minimap.raw", Array(minimap.value.json.utf8))
    var own = source
    own.channels = channels.map { source.channels[$0] }
    own.events = source.events.compactMap { event in
      guard let channel = event.channel else { return event }
      var event = event
      event.channel = channels.firstIndex(of: channel)
      return event.channel == nil ? nil : event
    }
    let header = CaptureHeader.text(own, adding: ["start": .integer(grid.origin)])
    try zip.add("kelvin.json", Array(header.utf8))
    try zip.finish()
    return notes
  }

  /// Reads a file of the app's or of ``write(_:to:)``.
  ///
  /// - Parameter limit: bytes that the archive may expand to.
  /// - Returns: what was read, with ``ImportedCapture/damage`` when that is not all.
  /// - Throws: ``CaptureFileFailure`` when not even the rate can be read.
  public static func read(
    _ bytes: [UInt8], name: String, limit: Int = CaptureFormat.expandedLimit
  ) throws(CaptureFileFailure) -> ImportedCapture {
    var zip = try ZipArchive(bytes, limit: limit)
    // It stands before what makes most of the file, or behind it.
    guard let metadata = zip.content("metadata.json") else {
      throw zip.damage
        ?? CaptureFileFailure(.notThisFormat, "a zip archive, but no metadata.json in it")
    }
    if let damage = metadata.damage { throw damage }
    let fields = Value(json: String(decoding: metadata.bytes, as: UTF8.self))?.map
    guard let fields, let inner = fields["metadata"]?.map,
      let rate = inner["samplesPerSecond"]?.number, (0.001...1e9).contains(rate)
    else {
      throw CaptureFileFailure(.corrupt, "metadata.json: no rate that Kelvin could read")
    }
    guard let session = zip.content("session.raw") else {
      throw zip.damage ?? CaptureFileFailure(.corrupt, "no session.raw in the file")
    }
    if session.bytes.isEmpty, let damage = session.damage { throw damage }
    let count = session.bytes.count / frame
    var currents: [Double] = []
    currents.reserveCapacity(count)
    var inputs = [[Double]](repeating: [], count: 8)
    session.bytes.withUnsafeBytes { raw in
      for place in 0..<count {
        let word = raw.loadUnaligned(fromByteOffset: place * frame, as: UInt32.self)
        currents.append(Double(Float(bitPattern: UInt32(littleEndian: word))))
        let bits = UInt16(
          bigEndian: raw.loadUnaligned(fromByteOffset: place * frame + 4, as: UInt16.self))
        for input in 0..<8 {
          let pair = bits >> UInt16(2 * input) & 3
          inputs[input].append(pair == 1 ? 0 : pair == 2 ? 1 : .nan)
        }
      }
    }
    return capture(
      name: name, currents: currents, inputs: inputs, rate: rate,
      startMilliseconds: inner["startSystemTime"]?.number,
      own: zip.content("kelvin.json").map { String(decoding: $0.bytes, as: UTF8.self) },
      damage: session.damage ?? zip.damage)
  }

  private static func capture(
    name: String, currents: [Double], inputs: [[Double]], rate: Double,
    startMilliseconds: Double?, own: String?, damage: CaptureFileFailure?
  ) -> ImportedCapture {
    // Inputs that were never known were not recorded.
    let used = inputs.filter { $0.contains { !$0.isNaN } }
    var capture: ImportedCapture
    var origin: Int64 = 0
    var isKnown = false
    // Microamperes of the file, as codes and their scale in amperes.
    var codes = ValueCodes(fitting: currents)
    var scale = codes.scale * 1e-6
    var isExact = codes.isExact
    if let own, let header = CaptureHeader.read(own), header.channels.count >= 1,
      let start = CaptureHeader.time(Value(json: own)?.map?["start"])
    {
      capture = header
      origin = start
      isKnown = true
      let first = header.channels[0]
      let known = ValueCodes(scale: first.scale * 1e6, offset: first.offset * 1e6)
      let isOwn = currents.allSatisfy { value in
        guard let code = known.code(value) else { return true }
        return abs(Float(first.value(of: code) * 1e6) - Float(value)) <= Float(value).ulp
      }
      if isOwn { (codes, scale, isExact) = (known, first.scale, true) }
      if !isOwn { capture.channels[0].offset = 0 }
    } else {
      let logic = used.indices.map { Channel(name: "D\($0)", unit: "", kind: .logic) }
      capture = ImportedCapture(
        name: name, channels: [Channel(name: "current", unit: "A", kind: .current)] + logic,
        meter: MeterIdentity(name: "ppk2", driver: "ppk2", model: "Power Profiler Kit II"))
      if let start = startMilliseconds, start.magnitude < 4e12 {
        capture.reference = ClockReference(
          monotonic: 0, boottime: 0, wall: Int64(start.rounded()) * 1_000_000)
      }
    }
    capture.damage = damage
    capture.channels[0].scale = scale
    if !isExact { capture.notes.append("current: the smallest values were rounded") }
    let step = 1e9 / rate
    var run = SampleRun(channel: 0, origin: origin, step: step, findsGaps: !isKnown)
    run.append(currents, codes, to: &capture)
    if isKnown { capture.alignGaps(channel: 0, to: run) }
    let recorded = isKnown ? inputs : used
    for (index, values) in recorded.enumerated() where index + 1 < capture.channels.count {
      capture.channels[index + 1].scale = 1
      capture.channels[index + 1].offset = 0
      run.channel = index + 1
      run.append(values, ValueCodes(scale: 1, offset: 0), to: &capture)
      if isKnown { capture.alignGaps(channel: index + 1, to: run) }
    }
    return capture
  }

  /// The app's overview: stretches of equal length, which double when there are too many.
  private struct Minimap {
    private struct Stretch {
      var time: Double
      var min: Double
      var max: Double
    }

    private static let limit = 10_000
    private var stretches: [Stretch] = []
    private var length = 1
    private var inLast = 0

    /// - Parameter time: in microseconds.
    mutating func add(_ microamperes: Double, at time: Double) {
      // In nanoamperes, no less than 200, which the app's logarithmic axis begins at.
      let value = Swift.max(microamperes * 1000, 200)
      let largest = Double.greatestFiniteMagnitude
      if inLast == 0 {
        stretches.append(Stretch(time: time, min: largest, max: -largest))
      }
      let last = stretches.count - 1
      inLast += 1
      stretches[last].time += (time - stretches[last].time) / Double(inLast)
      if !microamperes.isNaN {
        stretches[last].min = Swift.min(stretches[last].min, value)
        stretches[last].max = Swift.max(stretches[last].max, value)
      }
      if inLast == length { inLast = 0 }
      guard stretches.count == Self.limit, inLast == 0 else { return }
      length *= 2
      stretches = stride(from: 0, to: stretches.count, by: 2).map { index in
        let (first, second) = (stretches[index], stretches[index + 1])
        return Stretch(
          time: (first.time + second.time) / 2, min: Swift.min(first.min, second.min),
          max: Swift.max(first.max, second.max))
      }
    }

    var value: Value {
      func points(_ value: (Stretch) -> Double) -> Value {
        .list(stretches.map { .map(["x": .number($0.time), "y": .number(value($0))]) })
      }
      return .map([
        "lastElementFoldCount": .integer(Int64(inLast)),
        "maxNumberOfElements": .integer(Int64(Self.limit)),
        "numberOfTimesToFold": .integer(Int64(length)),
        "data": .map([
          "length": .integer(Int64(stretches.count)), "min": points(\.min), "max": points(\.max)
        ])
      ])
    }
  }
}
