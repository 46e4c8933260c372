import KelvinDevices
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What a JS110 is asked and told, and what its memory says.
struct JS110ProtocolTests {
  typealias Packets = JS110Packets

  @Test func settingsAreThoseOfTheHostsInterface() {
    let automatic = JS110Settings(.automatic, .fifteenVolts, isStreaming: true)
    #expect(
      automatic.packet == [1, 16, 1, 0, 0, 0, 0, 0, 1, 0x80, 0xc0, 0, 3, 0, 0, 0])
    let fixed = JS110Settings(.fixed(.eighteenMilliamperes), .fiveVolts, isStreaming: false)
    #expect(fixed.packet == [1, 16, 1, 0, 0, 0, 0, 0, 1, 0x08, 0xc0, 2, 0, 0, 0, 0])
    #expect(JS110Settings(.off, .fifteenVolts, isStreaming: false).packet[9] == 0)
    #expect(JS110Settings(fixed.packet) == fixed && JS110Settings(automatic.packet) == automatic)
    for name in JS110Options.rangeNames {
      let ranging = JS110Ranging(name: name)
      #expect(
        ranging?.name == name && ranging.flatMap { JS110Ranging(select: $0.select) } == ranging)
    }
    #expect(JS110Ranging(select: 3) == nil && JS110Ranging(name: "off") == nil)
    #expect(JS110Request.readCalibration(isFactory: false, offset: 4096).value == 1)
    #expect(JS110Request.readStatus.isIn && !JS110Request.writeSettings.isIn)
  }

  @Test func inputsAreWrittenBackAsTheyWere() {
    let bytes: [UInt8] = [9, 1, 0, 0, 1, 0, 7, 3, 0, 0, 0, 5, 0xe4, 0x0c, 0, 0]
    var inputs = JS110Inputs([1, 24, 3, 0, 0, 0, 0, 0] + bytes)
    #expect(inputs?.millivolts == 3300 && inputs?.areRecorded == false)
    inputs?.areRecorded = true
    inputs?.millivolts = 1800
    var expected = bytes
    expected.replaceSubrange(2..<4, with: [2, 3])
    expected.replaceSubrange(12..<16, with: [0x08, 0x07, 0, 0])
    #expect(inputs?.packet == [1, 24, 3, 0, 0, 0, 0, 0] + expected)
    #expect(inputs?.areRecorded == true)
  }

  static func status(result: UInt32 = 0) -> [UInt8] {
    var bytes: [UInt8] = [1, 104, 2, 0, 0, 0, 0, 0]
    func add(_ values: Int64..., size: Int) {
      for value in values {
        bytes += (0..<size).map { UInt8(truncatingIfNeeded: value >> Int64(8 * $0)) }
      }
    }
    add(Int64(result), 70_000, 12, size: 4)
    bytes += [0, 0x80, 0xc0, 0]
    // Samples in all; 0.5 W; 2 C; 3 J.
    add(3_000_000, 1 << 33, 2 << 27, 3 << 27, size: 8)
    // A window of 1,000,000; -0.25 A, 3.5 V.
    add(1_000_000, 1_000_000, 2_000_000, -(1 << 25), -5, 6, 7 << 16, 8, 9, 10, 11, 0, size: 4)
    return bytes
  }

  @Test func statusHoldsItsStatistics() throws {
    let status = try #require(JS110Status(Self.status()))
    let statistics = try #require(status.statistics)
    #expect(status.result == 0 && status.discarded == 12 && !status.isBusy)
    #expect(statistics.total == 3_000_000 && statistics.window == 1_000_000)
    #expect(statistics.rate == 2_000_000)
    #expect(Double(statistics.currentMean) * JS110Status.Statistics.current == -0.25)
    #expect(Double(statistics.voltageMean) * JS110Status.Statistics.voltage == 3.5)
    #expect(Double(statistics.powerMean) * JS110Status.Statistics.power == 0.5)
    #expect(Double(statistics.chargeSum) * JS110Status.Statistics.charge == 2)
    #expect(Double(statistics.energySum) * JS110Status.Statistics.energy == 3)
    #expect(JS110Status(Self.status(result: .max))?.isBusy == true)
    #expect(JS110Status(Self.status(result: 19))?.isBusy == true)
    #expect(JS110Status(Self.status(result: 5))?.result == 5)
    // Firmware that computes nothing.
    var short = Array(Self.status()[..<24])
    short[1] = 24
    #expect(JS110Status(short)?.discarded == 12 && JS110Status(short)?.statistics == nil)
  }

  @Test func answersCutAnywhereAreNone() {
    let settings = JS110Settings(.automatic, .fiveVolts, isStreaming: true).packet
    for length in settings.indices { #expect(JS110Settings(Array(settings[..<length])) == nil) }
    let inputs = Packets.bytes([0x0003_1801, 0, 1, 2, 3, 4])
    for length in inputs.indices { #expect(JS110Inputs(Array(inputs[..<length])) == nil) }
    let status = Self.status()
    for length in status.indices { #expect(JS110Status(Array(status[..<length])) == nil) }
    // One that says it is shorter than it is holds what it says.
    for length in 0..<104 {
      var bytes = status
      bytes[1] = UInt8(length)
      let read = JS110Status(bytes)
      #expect((read == nil) == (length < 24) && read?.statistics == nil)
    }
    for (place, byte) in [(0, 2), (2, 1), (2, 9), (1, 105)] as [(Int, UInt8)] {
      var bytes = status
      bytes[place] = byte
      #expect(JS110Status(bytes) == nil)
    }
  }

  @Test func windowsAreFoundOnce() throws {
    var statistics = try #require(JS110Status(Self.status())?.statistics)
    var windows = JS110Windows()
    #expect(windows.take(statistics) == .first && windows.take(statistics) == .nothing)
    statistics.total += 1_000_000
    #expect(windows.take(statistics) == .window(missing: 0))
    #expect(windows.take(statistics) == .nothing)
    statistics.total += 4_000_000
    #expect(windows.take(statistics) == .window(missing: 3))
    statistics.total -= 1
    #expect(windows.take(statistics) == .restart)
    // There is none yet; one that makes no sense.
    statistics.window = 0
    #expect(windows.take(statistics) == .nothing)
    statistics.window = -5
    #expect(windows.take(statistics) == .nothing)
  }

  // MARK: its memory

  @Test func calibrationsAreRead() {
    let calibration = Packets.calibration
    #expect(calibration.current.count == 7 && calibration.voltage.count == 2)
    #expect(calibration.current[6] == .init(offset: -2000, gain: 2e-9))
    #expect(calibration.voltage[1] == .init(offset: -1000, gain: 0.00025))
    #expect(calibration.serial == "ab01" && calibration.date == "2019-05-01")
  }

  static let json = """
    {"product": "1.1.1", "time": "t", "serial_number": "01", "current": {"offset": [-1, -1, -1, -1, -1, -1, \
    -1], "gain": [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]}, "voltage": {"offset": [-1, -1], "gain": \
    [0.001, 0.0002]}}
    """

  static func defect(_ bytes: [UInt8]) -> String? {
    do throws(JS110Calibration.Defect) {
      _ = try JS110Calibration(bytes)
      return nil
    } catch { return error.text }
  }

  @Test func calibrationsCutOrChangedAnywhereAreRefused() {
    let file = Packets.file([("HDR", [1, 2, 3]), ("AJS", Array(Self.json.utf8)), ("END", [])])
    #expect(Self.defect(file) == nil)
    for length in file.indices { #expect(Self.defect(Array(file[..<length])) != nil, "\(length)") }
    // What stands behind the numbers does not matter.
    let end = file.count - 16
    for place in file.indices {
      for bit: UInt8 in [1, 0x80] {
        var bytes = file
        bytes[place] ^= bit
        #expect((Self.defect(bytes) == nil) == (place >= end), "\(place)")
      }
    }
  }

  @Test(arguments: [
    ("\"1.1.1\"", "\"1.1.2\"", "product"), ("[-1, -1],", "[-1],", "voltage"),
    ("1e-9]", "0]", "current of range 6"), ("1e-9]", "-1e-9]", "no sense"),
    ("1e-3,", "1e9,", "range 0"), ("1e-3,", "NaN,", "range 0"), ("{\"product\"", "[\"", "no JSON"),
    ("1e-9]", "\"1e-9\"]", "range 6"), (", 1e-9]", "]", "each range")
  ])
  func numbersOfNoSenseAreRefused(old: String, new: String, text: String) {
    let parts = Self.json.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
    let json = parts.joined(separator: new)
    let found = Self.defect(Packets.file([("AJS", Array(json.utf8))]))
    #expect(found?.contains(text) == true, "\(found ?? "none")")
  }

  @Test func filesOfNoSenseAreRefused() {
    let numbers = Packets.record("AJS", Array(Self.json.utf8))
    #expect(Self.defect(Packets.file(numbers)) == nil)
    #expect(Self.defect(Packets.file(numbers, version: 2))?.contains("version 2") == true)
    let flagged = Packets.record("AJS", Array(Self.json.utf8), flags: 0x80)
    #expect(Self.defect(Packets.file(flagged))?.contains("compressed") == true)
    #expect(Self.defect(Packets.file([("HDR", [])]))?.contains("no record") == true)
    // A record that claims what is not there.
    for length: UInt32 in [0xffff_ffff, 0x7fff_ffff, 2000, UInt32(numbers.count - 8)] {
      var lying = numbers
      lying.replaceSubrange(4..<8, with: Packets.number(length))
      #expect(Self.defect(Packets.file(lying)) != nil)
    }
    // A file that does.
    for length: UInt32 in [0, 31, 65_536, 0xffff_ffff] {
      var file = Packets.file(numbers)
      file.replaceSubrange(16..<20, with: Packets.number(length))
      file.replaceSubrange(28..<32, with: Packets.number(Packets.crc(file[..<28])))
      #expect(Self.defect(file)?.contains("claims") == true)
    }
    var random = SeededGenerator(seed: 12)
    for _ in 0..<300 {
      let body = random.bytes(Int.random(in: 0..<400, using: &random))
      #expect(Self.defect(Packets.file(body)) != nil)
    }
  }

  // MARK: options

  @Test func optionsAreChecked() throws {
    let options = try JS110Options(
      [
        "current-range": .text("18 mA"), "voltage-range": .text("5 V"), "io-voltage": .number(1.8),
        "inputs": .boolean(true), "filter": .boolean(false), "on-close": .text("off")
      ], of: "m")
    #expect(options.ranging == .fixed(.eighteenMilliamperes) && options.voltageRange == .fiveVolts)
    #expect(options.millivolts == 1800 && options.hasInputs && !options.isFiltered)
    #expect(!options.isLeft && !options.isStatistics && !options.isFactory)
    let plain = try JS110Options([:], of: "m")
    #expect(plain.ranging == .automatic && plain.isLeft && plain.isFiltered && !plain.hasInputs)
    for wrong: [String: Value] in [
      ["current-range": .text("off")], ["voltage-range": .text("7 V")], ["io-voltage": .number(2)],
      ["inputs": .boolean(true), "deliver": .text("statistics")],
      ["accuracy": .map(["current": .text("perhaps")])]
    ] {
      #expect(throws: MeterFailure.self) { try JS110Options(wrong, of: "m") }
    }
  }
}
