internal import KelvinModel

extension SigrokSession {
  /// Reads a session file of sigrok's or of ``write(_:to:)``.
  ///
  /// - Parameter limit: bytes that the archive may expand to.
  /// - Returns: what was read, with ``ImportedCapture/damage`` when that is not all.
  /// - Throws: ``CaptureFileFailure`` when not even the metadata can be read.
  public static func read(
    _ bytes: [UInt8], name: String, limit: Int = CaptureFormat.expandedLimit
  ) throws(CaptureFileFailure) -> ImportedCapture {
    var zip = try ZipArchive(bytes, limit: limit)
    guard let metadata = zip.content("metadata"), zip.content("version") != nil else {
      throw zip.damage
        ?? CaptureFileFailure(.notThisFormat, "a zip archive, but no sigrok session in it")
    }
    if let damage = metadata.damage { throw damage }
    let device = try Device(String(decoding: metadata.bytes, as: UTF8.self))
    let own = zip.content("kelvin.json").map { String(decoding: $0.bytes, as: UTF8.self) }
    var capture = ImportedCapture(name: name, channels: [])
    var order = Array(0..<device.probes.count + device.analog.count)
    var origin: Int64 = 0
    var isKnown = false
    if let own, let header = CaptureHeader.read(own), header.channels.count == order.count,
      let map = Value(json: own)?.map, let start = CaptureHeader.time(map["start"]),
      let stored = map["order"]?.list?.compactMap({ $0.integer.map { Int($0) } }),
      stored.sorted() == order
    {
      capture = header
      order = stored
      origin = start
      isKnown = true
    } else {
      let logic = device.probes.map { Channel(name: $0, unit: "", kind: .logic) }
      capture = ImportedCapture(name: name, channels: logic + device.analog.map(Self.channel))
    }
    capture.damage = zip.damage
    let step = 1e9 / device.rate
    var run = SampleRun(channel: 0, origin: origin, step: step, findsGaps: !isKnown)
    readLogic(&zip, device, order, run, &capture)
    for number in device.analog.indices {
      let prefix = "analog-1-\(device.probes.count + number + 1)-"
      let samples = content(&zip, prefix, &capture)
      let values = stride(from: 0, to: samples.count - samples.count % 4, by: 4).map { start in
        samples[start..<start + 4].withUnsafeBytes { raw in
          Double(
            Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(as: UInt32.self))))
        }
      }
      let index = order[device.probes.count + number]
      let channel = capture.channels[index]
      // Single floats stand near the codes that they were made of.
      var codes = ValueCodes(scale: channel.scale, offset: channel.offset)
      let isOwn = values.allSatisfy { value in
        guard let code = codes.code(value) else { return true }
        return Float(Double(code) * channel.scale + channel.offset) == Float(value)
      }
      if !isKnown || !isOwn {
        codes = ValueCodes(fitting: values)
        capture.channels[index].scale = codes.scale
        capture.channels[index].offset = 0
        if !codes.isExact {
          capture.notes.append("\(channel.name): the smallest values were rounded")
        }
      }
      run.channel = index
      run.append(values, codes, to: &capture)
      if isKnown { capture.alignGaps(channel: index, to: run) }
    }
    return capture
  }

  private static func readLogic(
    _ zip: inout ZipArchive, _ device: Device, _ order: [Int], _ run: SampleRun,
    _ capture: inout ImportedCapture
  ) {
    guard !device.probes.isEmpty else { return }
    // Sigrok knows no missing level; our own files say which are no samples.
    let held = run.findsGaps ? [] : content(&zip, heldPrefix, &capture)
    let samples = content(&zip, device.captureFile + "-", &capture)
    let count = samples.count / device.unitSize
    var run = run
    for bit in device.probes.indices {
      let mask = 1 << UInt8(bit % 8) as UInt8
      let values = (0..<count).map { place -> Double in
        let byte = place * device.unitSize + bit / 8
        if byte < held.count, held[byte] & mask != 0 { return .nan }
        return samples[byte] & mask == 0 ? 0 : 1
      }
      run.channel = order[bit]
      capture.channels[run.channel].scale = 1
      capture.channels[run.channel].offset = 0
      run.append(values, ValueCodes(scale: 1, offset: 0), to: &capture)
      if !run.findsGaps { capture.alignGaps(channel: run.channel, to: run) }
    }
  }

  /// The members PREFIX1, PREFIX2, ... together, up to one that is damaged or missing.
  private static func content(
    _ zip: inout ZipArchive, _ prefix: String, _ capture: inout ImportedCapture
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    var number = 1
    while let part = zip.content(prefix + String(number)) {
      bytes += part.bytes
      if let damage = part.damage {
        capture.damage = capture.damage ?? damage
        break
      }
      number += 1
    }
    return bytes
  }

  /// `vdd [A]`
  private static func channel(_ text: String) -> Channel {
    guard text.last == "]", let start = text.lastIndex(of: "[") else {
      return Channel(name: text, unit: "")
    }
    let unit = String(text[text.index(after: start)...].dropLast())
    let kinds: [String: MeterChannel.Kind] = ["V": .voltage, "A": .current, "W": .power]
    return Channel(
      name: String(String(text[..<start]).trimmingASCIIWhitespace), unit: unit, kind: kinds[unit])
  }

  /// The section `[device 1]`.
  private struct Device {
    /// Samples a second.
    var rate = 0.0
    var captureFile = "logic-1"
    var unitSize = 1
    var probes: [String] = []
    var analog: [String] = []

    init(_ text: String) throws(CaptureFileFailure) {
      var fields: [String: String] = [:]
      var isDevice = false
      for line in text.split(separator: "\n") {
        if line.hasPrefix("[") { isDevice = line == "[device 1]" }
        let sides = line.split(separator: "=", maxSplits: 1)
        if isDevice, sides.count == 2 { fields[String(sides[0])] = String(sides[1]) }
      }
      let probes = Int(fields["total probes"] ?? "0") ?? -1
      let analog = Int(fields["total analog"] ?? "0") ?? -1
      guard (0...1024).contains(probes), (0...1024).contains(analog), probes + analog > 0 else {
        throw CaptureFileFailure(.corrupt, "metadata: no channels that Kelvin could read")
      }
      self.probes = (0..<probes).map { fields["probe\($0 + 1)"] ?? "D\($0)" }
      self.analog = (0..<analog).map { fields["analog\(probes + $0 + 1)"] ?? "A\($0)" }
      captureFile = fields["capturefile"] ?? captureFile
      unitSize = Int(fields["unitsize"] ?? "1") ?? 0
      guard (1...128).contains(unitSize), probes <= unitSize * 8 || probes == 0 else {
        throw CaptureFileFailure(.corrupt, "metadata: unitsize \(unitSize)")
      }
      let words = (fields["samplerate"] ?? "").split(separator: " ")
      let factors = ["Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9]
      guard let number = words.first.flatMap({ Double($0) }), number > 0,
        let factor = words.count > 1 ? factors[String(words[1])] : 1, number * factor <= 1e12,
        number * factor >= 1e-3
      else {
        throw CaptureFileFailure(
          .unsupported, "metadata: no samplerate, so the samples have no times",
          evidence: (fields["samplerate"] ?? "").cut(40))
      }
      rate = number * factor
    }
  }
}
