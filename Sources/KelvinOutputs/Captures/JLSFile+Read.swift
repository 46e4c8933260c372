internal import KelvinModel

extension JLSFile {
  /// Reads a file of Joulescope's, of pyjls or of ``write(_:to:)``: the samples of its signals at a
  /// fixed rate, with their times and marks. Goes through the chunks from the first to the last and
  /// needs no index, so that a file whose writer died is read up to there.
  ///
  /// - Returns: what was read, with ``ImportedCapture/damage`` when that is not all.
  /// - Throws: ``CaptureFileFailure`` when the file has no signal that can be read.
  public static func read(
    _ bytes: [UInt8], name: String
  ) throws(CaptureFileFailure) -> ImportedCapture {
    var reader = try JLSReader(bytes)
    reader.readChunks()
    return try reader.capture(name: name)
  }
}

private struct JLSReader {
  private struct Signal {
    var name: String
    var unit: String
    var dataType: UInt32
    var rate: Double
    /// Number of the first sample, counted from 0 in the file.
    var first: Int64?
    var values: [Double] = []
    /// Number and UTC in nanoseconds, ascending.
    var times: [(sample: Int64, wall: Int64)] = []
    var marks: [(sample: Int64, text: String, isMark: Bool)] = []
  }

  /// Missing samples that a file may claim before more are taken for damage.
  private static let missingLimit = 50_000_000

  private var reader: ByteReader
  private var signals: [Int: Signal] = [:]
  private var header: String?
  private var sourceTexts: [String] = []
  private var notes: [String] = []
  private var damage: CaptureFileFailure?
  private var isComplete = false

  init(_ bytes: [UInt8]) throws(CaptureFileFailure) {
    guard bytes.starts(with: JLSFile.magic) else {
      throw CaptureFileFailure(.notThisFormat, "not a JLS file of version 2")
    }
    reader = ByteReader(bytes[...])
    reader.skip(16)
    guard let length = reader.integer(UInt64.self), let version = reader.integer(UInt32.self),
      let crc = reader.integer(UInt32.self)
    else { throw CaptureFileFailure(.truncated, "the file ends in its header") }
    guard crc == CRC32C.of(bytes[..<28]) else {
      throw CaptureFileFailure(.corrupt, "the header's checksum does not hold")
    }
    guard version >> 24 == JLSFile.version >> 24 else {
      throw CaptureFileFailure(.unsupported, "JLS format \(version >> 24)")
    }
    if length == 0 { notes.append("the file was not closed by its writer") }
  }

  // MARK: - Chunks

  mutating func readChunks() {
    while damage == nil, !isComplete {
      let start = reader.position
      guard let head = reader.take(32) else {
        damage = CaptureFileFailure(.truncated, "the file ends at byte \(start), within a chunk")
        return
      }
      var fields = ByteReader(head)
      fields.skip(16)
      guard let tag = fields.integer(UInt8.self), fields.integer(UInt8.self) != nil,
        let meta = fields.integer(UInt16.self), let length = fields.integer(UInt32.self),
        fields.integer(UInt32.self) != nil, let crc = fields.integer(UInt32.self),
        crc == CRC32C.of(head.prefix(28))
      else {
        damage = CaptureFileFailure(.corrupt, "the chunk at byte \(start) is damaged")
        return
      }
      var payload: ArraySlice<UInt8> = []
      if length > 0 {
        guard let body = reader.take(Int(length)),
          reader.take((12 - Int(length) % 8) % 8) != nil,
          let crc = reader.integer(UInt32.self)
        else {
          damage = CaptureFileFailure(.truncated, "the file ends within the chunk at byte \(start)")
          return
        }
        guard crc == CRC32C.of(body) else {
          damage = CaptureFileFailure(
            .corrupt, "the samples of the chunk at byte \(start) are damaged")
          return
        }
        payload = body
      }
      take(tag, meta, payload)
    }
  }

  private mutating func take(_ tag: UInt8, _ meta: UInt16, _ payload: ArraySlice<UInt8>) {
    let id = Int(meta & 0xFFF)
    switch tag {
    case JLSFile.Tag.end: isComplete = true
    case JLSFile.Tag.source where id == 1: sourceTexts = Self.texts(payload.dropFirst(64))
    case JLSFile.Tag.signal where id > 0: define(id, payload)
    case JLSFile.Tag.userData where meta >> 12 == JLSFile.Storage.json:
      let text = String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self)
      if CaptureHeader.read(text) != nil { header = text }
    case JLSFile.Tag.track(.samples, .data): samples(id, payload)
    case JLSFile.Tag.track(.utc, .data): time(id, payload)
    case JLSFile.Tag.track(.annotations, .data): annotation(id, payload)
    default: break
    }
  }

  private static func texts(_ bytes: ArraySlice<UInt8>) -> [String] {
    bytes.split(separator: 0x1F, omittingEmptySubsequences: false).map {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  private mutating func define(_ id: Int, _ payload: ArraySlice<UInt8>) {
    var reader = ByteReader(payload)
    guard reader.integer(UInt16.self) != nil, let type = reader.integer(UInt8.self),
      reader.integer(UInt8.self) != nil, let data = reader.integer(UInt32.self),
      let rate = reader.integer(UInt32.self), payload.count >= 128
    else { return }
    let texts = Self.texts(payload.dropFirst(128))
    guard type == 0, rate > 0, id <= 256 else { return }
    signals[id] = Signal(
      name: texts.first ?? "signal \(id)", unit: texts.count > 1 ? texts[1] : "", dataType: data,
      rate: Double(rate))
  }

  private mutating func samples(_ id: Int, _ payload: ArraySlice<UInt8>) {
    var reader = ByteReader(payload)
    guard let signal = signals[id], let number = reader.integer(Int64.self),
      let count = reader.integer(UInt32.self), reader.integer(UInt32.self) != nil
    else { return }
    guard let values = JLSFile.values(reader, count: Int(count), signal.dataType) else {
      damage = CaptureFileFailure(
        .corrupt, "\(signal.name.cut(60)): a chunk's size and count of samples do not agree")
      return
    }
    let first = signal.first ?? number
    let (place, overflows) = number.subtractingReportingOverflow(first)
    let missing = overflows ? -1 : place - Int64(signal.values.count)
    guard number.magnitude <= CaptureHeader.timeLimit, missing >= 0, missing <= Self.missingLimit
    else {
      damage = CaptureFileFailure(
        .corrupt,
        "\(signal.name.cut(60)): samples are numbered \(number) after "
          + "\(first + Int64(signal.values.count))")
      return
    }
    signals[id]?.first = first
    if missing > 0 {
      signals[id]?.values.append(contentsOf: repeatElement(.nan, count: Int(missing)))
    }
    signals[id]?.values.append(contentsOf: values)
  }

  private mutating func time(_ id: Int, _ payload: ArraySlice<UInt8>) {
    var reader = ByteReader(payload)
    guard let sample = reader.integer(Int64.self), reader.integer(UInt64.self) != nil,
      let utc = reader.integer(Int64.self), let wall = JLSFile.wall(utc),
      sample.magnitude <= CaptureHeader.timeLimit
    else { return }
    // Only what ascends is a clock.
    if let last = signals[id]?.times.last, last.sample >= sample || last.wall > wall { return }
    signals[id]?.times.append((sample, wall))
  }

  private mutating func annotation(_ id: Int, _ payload: ArraySlice<UInt8>) {
    var reader = ByteReader(payload)
    guard let sample = reader.integer(Int64.self), reader.integer(UInt64.self) != nil,
      let kind = reader.integer(UInt8.self), let storage = reader.integer(UInt8.self)
    else { return }
    reader.skip(6)
    guard storage == JLSFile.Storage.text, let length = reader.integer(UInt32.self),
      let text = reader.take(Int(length))
    else { return }
    signals[id]?.marks.append(
      (sample, String(decoding: text.prefix { $0 != 0 }, as: UTF8.self), kind == 2))
  }

  // MARK: - The capture

  consuming func capture(name: String) throws(CaptureFileFailure) -> ImportedCapture {
    let ids = signals.keys.sorted()
    guard !ids.isEmpty else {
      throw damage
        ?? CaptureFileFailure(.unsupported, "the file has no signal with samples at a fixed rate")
    }
    var capture = ImportedCapture(name: sourceTexts.first ?? name, channels: [])
    var layouts: [[String: Value]] = []
    if let header, let own = CaptureHeader.read(header), own.channels.count == ids.count,
      let signals = Value(json: header)?.map?["signals"]?.list, signals.count == ids.count
    {
      capture = own
      layouts = signals.map { $0.map ?? [:] }
    } else {
      let kinds: [String: MeterChannel.Kind] = [
        "V": .voltage, "A": .current, "W": .power, "J": .energy, "C": .charge
      ]
      let channels = ids.compactMap { signals[$0] }.map {
        Channel(name: $0.name, unit: $0.unit, kind: kinds[$0.unit])
      }
      capture = ImportedCapture(name: sourceTexts.first ?? name, channels: channels)
      if sourceTexts.count >= 5 {
        capture.meter = MeterIdentity(
          name: sourceTexts[0], driver: "jls", model: sourceTexts[2], serial: sourceTexts[4],
          firmware: sourceTexts[3])
      }
      // Times are wall times then: the host's clock is taken for it.
      capture.reference = ClockReference(monotonic: 0, boottime: 0, wall: 0)
    }
    for (index, id) in ids.enumerated() {
      guard let signal = signals[id] else { continue }
      add(signal, index, layouts.isEmpty ? nil : layouts[index], to: &capture)
    }
    capture.damage = damage
    capture.notes += notes
    return capture
  }

  private func add(
    _ signal: Signal, _ index: Int, _ layout: [String: Value]?, to capture: inout ImportedCapture
  ) {
    let channel = capture.channels[index]
    var codes = ValueCodes(scale: channel.scale, offset: channel.offset)
    if layout == nil || !signal.values.allSatisfy({ !$0.isFinite || codes.holds($0) }) {
      codes = ValueCodes(fitting: signal.values)
      capture.channels[index].scale = codes.scale
      capture.channels[index].offset = 0
      if !codes.isExact {
        capture.notes.append("\(channel.name): the smallest values were rounded")
      }
    }
    let first = signal.first ?? 0
    if layout?["regular"]?.boolean == true, let origin = CaptureHeader.time(layout?["origin"]) {
      let run = SampleRun(
        channel: index, origin: origin, step: 1e9 / signal.rate, findsGaps: false)
      run.append(signal.values, codes, to: &capture)
      capture.alignGaps(channel: index, to: run)
      return
    }
    let clock = PiecewiseTime(
      signal.times.map { ($0.sample - first, $0.wall) }, step: 1e9 / signal.rate)
    // Wall times become those of the meter, where the file says how.
    let fit = capture.clock
    let reference = capture.reference
    let epoch = JLSFile.epoch * 1_000_000_000
    func meter(_ wall: Int64) -> Int64 {
      guard layout != nil else { return wall }
      let host = reference.map { wall &- $0.wall &+ $0.monotonic } ?? wall &- epoch
      return fit.meter(min(max(host, -1 << 61), 1 << 61))
    }
    if layout == nil, signal.times.count <= 2 {
      // Without own times, or with first and last alone: a fixed step as the file counts.
      let step =
        signal.times.count == 2 ? clock.slope(from: 0) : 1e9 / signal.rate
      let run = SampleRun(channel: index, origin: clock[0], step: step)
      run.append(signal.values, codes, to: &capture)
    } else {
      var times: [Int64] = []
      var kept: [Int64] = []
      for (place, value) in signal.values.enumerated() {
        guard let code = codes.code(value) else { continue }
        times.append(max(times.last ?? .min, meter(clock[place])))
        kept.append(code)
      }
      capture.append(channel: index, times: times, codes: kept)
      if layout != nil { capture.alignGaps(channel: index, to: times) }
    }
    guard layout == nil else { return }
    for mark in signal.marks {
      let (place, overflows) = mark.sample.subtractingReportingOverflow(first)
      guard !overflows, place >= 0, place <= signal.values.count else { continue }
      let time = clock[Int(place)]
      capture.events.append(
        CaptureEvent(.mark, channel: index, from: time, to: time, note: mark.text))
    }
  }
}
