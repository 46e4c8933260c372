import Glibc
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinSimulators
import Synchronization

/// Drivers of meters, against C programs that do the same.
enum MeterBenchmarks {
  /// Counts what comes, and drops it.
  private final class CountingSink: BlockSink {
    let samples = Atomic<Int>(0)
    let sum = Atomic<Int64>(0)
    let gaps = Atomic<Int>(0)

    func take(_ blocks: [SampleBlock]) {
      guard let block = blocks.first else { return }
      samples.wrappingAdd(block.codes.count, ordering: .relaxed)
      sum.wrappingAdd(block.codes.last ?? 0, ordering: .relaxed)
    }

    func take(_ event: CaptureEvent) {
      if event.kind == .gap { gaps.wrappingAdd(1, ordering: .relaxed) }
    }
  }

  /// `ppk2 write FILE SAMPLES`, `ppk2 decode FILE COUNT`, `ppk2 live PATH SECONDS`.
  static func ppk2(_ mode: String, _ path: String, _ count: Int) async throws {
    switch mode {
    case "write": try write(path, Int64(count))
    case "decode": try decode(path, count)
    default:
      try await live(
        PPK2Driver(), count,
        ["path": .text(path), "mode": .text("source"), "voltage": .text("3.3 V")])
    }
  }

  private static func write(_ path: String, _ samples: Int64) throws {
    let wave = PPK2Waveform(PPK2Unit(), volts: 3.3)
    guard let file = fopen(path, "wb") else { fail("\(path): errno \(errno)") }
    defer { fclose(file) }
    for sample in 0..<samples {
      var word = wave.word(sample).littleEndian
      guard fwrite(&word, 4, 1, file) == 1 else { fail("\(path): errno \(errno)") }
    }
    print(#"{"samples": \#(samples)}"#)
  }

  /// `energy-probe write FILE FRAMES`, `energy-probe decode FILE COUNT`, `energy-probe live PATH SECONDS`.
  static func energyProbe(_ mode: String, _ path: String, _ count: Int) async throws {
    switch mode {
    case "write":
      let wave = EnergyProbeWaveform()
      guard let file = fopen(path, "wb") else { fail("\(path): errno \(errno)") }
      defer { fclose(file) }
      for number in 0..<Int64(count) {
        let frame = wave.frame(number, number: number, masks: [7, 7, 7])
        guard fwrite(frame, frame.count, 1, file) == 1 else { fail("\(path): errno \(errno)") }
      }
      print(#"{"samples": \#(count)}"#)
    case "decode":
      try decode(path, count, EnergyProbeFraming(fields: 9)) { EnergyProbeDecoder(fields: 9) }
    default:
      let channels = [0.02, 0.05, 0.1].enumerated().map { number, shunt in
        let fields: [Value] = ["power", "voltage", "current"]
        return ("\(number)", Value.map(["shunt": .number(shunt), "fields": .list(fields)]))
      }
      try await live(
        EnergyProbeDriver(), count,
        [
          "path": .text(path),
          "channels": .map(Dictionary(uniqueKeysWithValues: channels))
        ])
    }
  }

  /// `joulescope write FILE SAMPLES`, `joulescope decode FILE COUNT`: the packets of a JS110.
  static func joulescope(_ mode: String, _ path: String, _ count: Int) throws {
    guard mode == "write" else { return try decodeJoulescope(path, count) }
    guard let file = fopen(path, "wb") else { fail("\(path): errno \(errno)") }
    defer { fclose(file) }
    var state: UInt64 = 1
    for packet in 0..<count / JS110Stream.samplesInPacket {
      var words: [UInt32] = [0x0200_0001, UInt32(packet & 0xffff)]
      for place in 0..<JS110Stream.samplesInPacket {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let sample = packet * JS110Stream.samplesInPacket + place
        // Another range each 500 samples; both codes noise within their scales.
        let range = UInt32(sample / 500 % 2 + 2)
        let current = UInt32(state >> 52) + 8000
        let voltage = UInt32(state >> 40 & 0x3f) + 6000
        words.append(range | current << 2 | UInt32(sample & 1) << 17 | voltage << 18)
      }
      words = words.map(\.littleEndian)
      guard fwrite(words, 4, words.count, file) == words.count else {
        fail("\(path): errno \(errno)")
      }
    }
    print(#"{"samples": \#(count)}"#)
  }

  /// With the gains of the program in C, in pieces of 65,536 bytes.
  private static func decodeJoulescope(_ path: String, _ count: Int) throws {
    let bytes = try read(path)
    let calibration = JS110Calibration(
      current: [6.8e-4, 1.6e-4, 1.5e-5, 1.5e-6, 1.5e-7, 1.5e-8, 1.5e-9].map {
        JS110Calibration.Line(offset: -8000, gain: $0)
      }, voltage: [9.5e-4, 2.9e-4].map { JS110Calibration.Line(offset: -3000, gain: $0) })
    var best = Int64.max
    var (sum, samples, broken, noted) = (Int64(0), 0, Int64(0), Int64(0))
    for _ in 0..<count {
      var stream = JS110Stream(calibration, hasInputs: false, isFiltered: false)
      stream.isOpen = true
      samples = 0
      func give(_ part: JS110Stream.Part) {
        guard case .samples(_, let current, let voltage, _) = part else { return }
        samples += current.count
        sum &+= (current.last ?? 0) &+ (voltage.last ?? 0)
      }
      let begin = MonotonicTime.processCPUNanoseconds
      var place = 0
      while place < bytes.count {
        let end = min(place + 65_536, bytes.count)
        let piece = bytes.span.extracting(place..<end)
        stream.take(piece.bytes, give)
        stream.flush(give)
        place = end
      }
      best = min(best, MonotonicTime.processCPUNanoseconds - begin)
      broken = stream.damaged + stream.lost
      noted = stream.switched + stream.saturated + stream.unsteady
    }
    print(
      #"{"samples": \#(samples), "broken": \#(broken), "cpu_ns": \#(best), "sum": \#(sum), "#
        + #""noted": \#(noted)}"#)
  }

  /// Decodes what is in a file, in pieces of 4,096 bytes.
  private static func decode<Framing: NumberedFraming, Decoder: FrameDecoder>(
    _ path: String, _ count: Int, _ framing: Framing, _ decoder: () -> Decoder
  ) throws {
    let bytes = try read(path)
    var best = Int64.max
    var (sum, samples, gaps) = (Int64(0), 0, 0)
    for _ in 0..<count {
      var stream = NumberedStream(framing)
      var decoder = decoder()
      samples = 0
      let begin = MonotonicTime.processCPUNanoseconds
      func give(_ part: NumberedStream<Framing>.Part, _ span: Span<UInt8>) {
        guard case .samples(let first, let range) = part else {
          gaps += 1
          return
        }
        let frames = range.count / framing.size
        let decoded = decoder.decode(
          span.extracting(range), at: .regular(first: first * 1000, step: 1000, count: frames))
        samples += frames
        sum &+= decoded.blocks.first?.codes.last ?? 0
      }
      var place = 0
      while place < bytes.count {
        let end = min(place + 4096, bytes.count)
        stream.take(bytes.span.extracting(place..<end), give: give)
        place = end
      }
      let nothing: [UInt8] = []
      stream.take(nothing.span, isLast: true, give: give)
      best = min(best, MonotonicTime.processCPUNanoseconds - begin)
    }
    print(
      #"{"samples": \#(samples), "broken": \#(gaps), "cpu_ns": \#(best), "sum": \#(sum)}"#)
  }

  private static func read(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { fail("\(path): errno \(errno)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while case let more = fread(&buffer, 1, buffer.count, file), more > 0 {
      bytes += buffer[..<more]
    }
    return bytes
  }

  private static func decode(_ path: String, _ count: Int) throws {
    let bytes = try read(path)
    guard let calibration = PPK2Calibration(nil, volts: 3.3) else { fail("no calibration") }
    var best = Int64.max
    var (sum, samples, gaps) = (Int64(0), 0, 0)
    for _ in 0..<count {
      var stream = PPK2Stream()
      var decoder = PPK2Decoder(calibration, isFiltered: true)
      samples = 0
      let begin = MonotonicTime.processCPUNanoseconds
      func give(_ part: PPK2Stream.Part, _ span: Span<UInt8>) {
        guard case .samples(_, let range) = part else {
          gaps += 1
          return
        }
        let count = range.count / 4
        let codes = [Int64](capacity: count) { output in
          _ = decoder.decode(span.extracting(range).bytes, into: &output)
        }
        samples += count
        sum &+= codes.last ?? 0
      }
      var place = 0
      while place < bytes.count {
        let end = min(place + 4096, bytes.count)
        stream.take(bytes.span.extracting(place..<end), give: give)
        place = end
      }
      let nothing: [UInt8] = []
      stream.take(nothing.span, isLast: true, give: give)
      best = min(best, MonotonicTime.processCPUNanoseconds - begin)
    }
    print(
      #"{"samples": \#(samples), "broken": \#(gaps), "cpu_ns": \#(best), "sum": \#(sum)}"#)
  }

  private static func live(
    _ driver: some MeterDriver, _ seconds: Int, _ options: [String: Value]
  ) async throws {
    let meter = try await driver.open(
      name: "meter", options: options, through: LocalConnection(), until: .after(seconds: 10))
    let sink = CountingSink()
    let cpu = MonotonicTime.processCPUNanoseconds
    try await meter.start(into: sink, until: .after(seconds: 10))
    sleep(UInt32(seconds))
    let summary = await meter.stop(until: .after(seconds: 10))
    let used = MonotonicTime.processCPUNanoseconds - cpu
    await meter.close()
    if let failure = summary.failure { fail(failure.message) }
    print(
      #"{"samples": \#(summary.samples[0]), "broken": \#(sink.gaps.load(ordering: .relaxed)), "#
        + #""cpu_ns": \#(used), "sum": \#(sink.sum.load(ordering: .relaxed))}"#)
  }
}
