import Glibc
import KelvinModel

@testable import KelvinOutputs

/// Captures of known content.
enum Sample {
  static let second: Int64 = 1_000_000_000
  static let reference = ClockReference(
    monotonic: 1_000 * second, boottime: 1_500 * second, wall: 1_764_196_865 * second)

  static let meter = MeterIdentity(
    name: "bench ina226", driver: "hwmon", model: "ina226", serial: "7", firmware: "1")

  /// Voltage, current and power of one place, with a scale that is no power of two.
  static let channels = [
    Channel(
      name: "vdd.voltage", unit: "V", scale: 1.25e-3, site: "vdd", kind: .voltage, range: 0...36),
    Channel(
      name: "vdd.current", unit: "A", scale: 1e-6, offset: 2.5e-7, site: "vdd", kind: .current,
      accuracy: Accuracy(gain: 0.005, offset: 1e-6, source: "data sheet")),
    Channel(name: "vdd.power", unit: "W", scale: 25e-6, site: "vdd", kind: .power)
  ]

  /// A generator whose numbers are the same each time.
  struct Numbers {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }

  static func codes(_ count: Int, seed: UInt64) -> [Int64] {
    var numbers = Numbers(state: seed)
    return (0..<count).map { _ in Int64(numbers.next(1 << 14)) }
  }

  /// Samples at a fixed rate, with a gap of `lost` samples halfway when it is not 0.
  static func regular(
    count: Int, rate: Int = 1000, lost: Int = 0, channels: [Channel] = Sample.channels,
    start: Int64 = 1_001 * second + 123_456_789
  ) -> ImportedCapture {
    var capture = ImportedCapture(name: "test capture", channels: channels, meter: meter)
    capture.reference = reference
    capture.clock = ClockFit(
      origin: start, offset: 777, skew: 2e-6, uncertainty: 50, residual: 90, count: 12)
    let step = Double(second) / Double(rate)
    for (index, channel) in channels.enumerated() {
      var codes = codes(count, seed: UInt64(index + 1))
      if channel.kind == .logic { codes = codes.map { $0 & 1 } }
      let half = lost == 0 ? count : count / 2
      capture.append(channel: index, origin: start, step: step, index: 0, codes: codes[..<half])
      guard half < count else { continue }
      capture.append(
        channel: index, origin: start, step: step, index: half + lost, codes: codes[half...])
      capture.events.append(
        CaptureEvent(
          .gap, channel: index, from: start + Int64((Double(half - 1) * step).rounded()),
          to: start + Int64((Double(half + lost) * step).rounded()), count: Int64(lost)))
    }
    return capture
  }

  /// Samples about a millisecond apart, each channel at times of its own.
  static func irregular(count: Int) -> ImportedCapture {
    var capture = ImportedCapture(name: "jitter", channels: channels, meter: meter)
    capture.reference = reference
    for index in channels.indices {
      var numbers = Numbers(state: UInt64(index + 77))
      var time = 1_002 * second
      let times = (0..<count).map { _ in
        time += 800_000 + Int64(numbers.next(400_000))
        return time
      }
      capture.append(channel: index, times: times, codes: codes(count, seed: UInt64(index + 9)))
    }
    return capture
  }

  /// Energy of a power channel by trapezoids over the host's time, outside gaps, in joules.
  static func joules(_ capture: ImportedCapture, channel: Int) -> Double {
    let power = capture.channels[channel]
    let gaps = Set(capture.events.filter { $0.kind == .gap && $0.channel == channel }.map(\.to))
    var sum = 0.0
    var last: (time: Int64, value: Double)?
    for block in capture.blocks[channel] {
      for (place, code) in block.codes.enumerated() {
        let time = block.times[place]
        let value = power.value(of: code)
        if let last, !gaps.contains(time) {
          let span = Double(capture.clock.host(time) - capture.clock.host(last.time)) / 1e9
          sum += (last.value + value) / 2 * span
        }
        last = (time, value)
      }
    }
    return sum
  }
}

extension ImportedCapture {
  /// All samples of a channel, however they stand in blocks.
  func samples(_ channel: Int) -> (times: [Int64], values: [Double], codes: [Int64]) {
    let codes = blocks[channel].flatMap(\.codes)
    return (
      blocks[channel].flatMap(\.times.array), codes.map { channels[channel].value(of: $0) }, codes
    )
  }

  /// What a format makes of the capture, in memory.
  func exported(as format: CaptureFormat) throws -> [UInt8] {
    let file = ExportFile()
    _ = try format.write(CaptureSource(self), to: file)
    return file.bytes
  }
}

/// Python with the modules that judge exports; nil where they are not installed.
struct JudgingPython {
  let command: String

  init?(module: String) {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let tools = "PYTHONPATH=/\(root)/.build/capture-tools python3"
    for command in [tools, "/usr/bin/python3", "python3"]
    where shell("\(command) -c 'import \(module)' 2>/dev/null").code == 0 {
      self.command = command
      return
    }
    return nil
  }

  func run(_ script: String, in directory: TemporaryDirectory) -> String {
    writeText(directory("script.py"), script)
    return shell("cd \(directory.path) && \(command) script.py 2>&1").output
  }
}

func writeBytes(_ path: String, _ bytes: [UInt8]) {
  guard let file = fopen(path, "wb") else { preconditionFailure("\(path): errno \(errno)") }
  defer { fclose(file) }
  fwrite(bytes, 1, bytes.count, file)
}

func readBytes(_ path: String) -> [UInt8] {
  guard let file = fopen(path, "rb") else { return [] }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
    bytes += buffer[..<count]
  }
  return bytes
}
