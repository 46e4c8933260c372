import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What instruments answer, read without one.
@Suite struct SCPIProtocolTests {
  static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test(arguments: [
    ("7", 7.0, 1.0), ("-12", -12, 1), ("3.300", 3.3, 1e-3), ("+5.00000000E+00", 5, 1e-8),
    ("-1.234560E-03", -1.23456e-3, 1e-9), (" 0.10 ", 0.1, 1e-2), (".5", 0.5, 0.1), ("5.", 5, 1),
    ("1e3", 1000, 1000), ("00.10", 0.1, 0.01)
  ])
  func readsNumbers(text: String, value: Double, step: Double) {
    #expect(SCPINumber(Self.bytes(text)) == .value(value, step: step), "\(text)")
  }

  /// What is no value is never taken for one.
  @Test func readsWhatIsNoValue() {
    let over = ["9.9E37", "+9.90000000E+37", "INF", "inf"]
    for text in over { #expect(SCPINumber(Self.bytes(text)) == .overload(isNegative: false)) }
    for text in ["-9.9E37", "NINF", "-INF"] {
      #expect(SCPINumber(Self.bytes(text)) == .overload(isNegative: true), "\(text)")
    }
    for text in ["9.91E37", "+9.91000000E+37", "NAN", "1e99", "1e999"] {
      #expect(SCPINumber(Self.bytes(text)) == .notANumber, "\(text)")
    }
    // As single floats of a block.
    #expect(SCPINumber(Double(Float(9.9e37)), step: 0) == .overload(isNegative: false))
    #expect(SCPINumber(Double(Float(9.91e37)), step: 0) == .notANumber)
    for text in [
      "", " ", "+", ".", "e5", "1e", "1e+", "5 V", "5V", "1,2", "0x10", "1_000", "1e99999", "--1",
      "1.2.3", "5\u{7f}", String(repeating: "1", count: 41), "nanometer"
    ] {
      #expect(SCPINumber(Self.bytes(text)) == nil, "\(text)")
    }
  }

  @Test func fieldsEndOutsideOfQuotes() {
    #expect(
      SCPIFields.split(Self.bytes("5.0,0.1;\"a,b\"")) == ["5.0", "0.1", "\"a,b\""].map(Self.bytes))
    #expect(SCPIFields.split(Self.bytes("")) == [[]])
    #expect(SCPIFields.split(Self.bytes("\"open, for ever")) == nil)
    #expect(SCPIFields.split([UInt8](repeating: 44, count: 1_000_000)) == nil)
  }

  @Test func readsIdentities() throws {
    for model in SCPIModel.allCases {
      let identity = try #require(SCPIIdentity(Self.bytes(model.identity)), "\(model)")
      #expect(SCPIProfile.of(identity).name == model.rawValue, "\(model)")
    }
    let siglent = try #require(SCPIIdentity(Self.bytes(SCPIModel.spd3303.identity)))
    #expect(siglent.firmware == "1.01.01.02.05, V3.0" && siglent.serial == "SPD3X000000001")
    let short = try #require(SCPIIdentity(Self.bytes("Acme, PSU ")))
    #expect(short.model == "PSU" && short.serial == "" && SCPIProfile.of(short).name == "generic")
    for text in ["", "Acme", ",PSU,1,1", "5.0,0.1,0.5", "a,b\u{7},c", "+0,\"No error\"", "€,b"] {
      #expect(SCPIIdentity(Self.bytes(text)) == nil, "\(text)")
    }
    #expect(SCPIIdentity([UInt8](repeating: 65, count: 500) + Self.bytes(",b")) == nil)
  }

  @Test func readsQueuesOfErrors() {
    #expect(SCPIQueuedError(Self.bytes("+0,\"No error\""))?.code == 0)
    #expect(SCPIQueuedError(Self.bytes("0  No Error"))?.code == 0)
    #expect(SCPIQueuedError(Self.bytes("0"))?.code == 0)
    let error = SCPIQueuedError(Self.bytes("-113,\"Undefined header; FOO\""))
    #expect(error?.description == "-113, Undefined header; FOO")
    for text in ["", "No error", "3.300", "-", "1e5", "999999999,\"x\"", "5V"] {
      #expect(SCPIQueuedError(Self.bytes(text)) == nil, "\(text)")
    }
  }

  @Test func readsBlocks() {
    let limit = 1 << 20
    #expect(SCPIBlock.header(Self.bytes("#216"), limit: limit) == .block(start: 4, count: 16))
    #expect(
      SCPIBlock.header(Self.bytes("#9000000004abcd"), limit: limit) == .block(start: 11, count: 4))
    #expect(SCPIBlock.header(Self.bytes("#10\n"), limit: limit) == .block(start: 3, count: 0))
    for text in ["", "#", "#2", "#21", "#9999"] {
      #expect(SCPIBlock.header(Self.bytes(text), limit: limit) == .incomplete, "\(text)")
    }
    for text in ["#0abc", "#a", "##9", "1.23", "#2x1", "#21x", "#9999999999", "#3-12", "\n"] {
      #expect(SCPIBlock.header(Self.bytes(text), limit: limit) == .malformed, "\(text)")
    }
    #expect(SCPIBlock.floats([0x3f, 0x80, 0, 0], bigEndian: true) == [1])
    #expect(SCPIBlock.floats([0, 0, 0x80, 0x3f], bigEndian: false) == [1])
    #expect(SCPIBlock.floats([], bigEndian: true) == [])
    #expect(SCPIBlock.floats([1, 2, 3], bigEndian: true) == nil)
  }

  @Test func messagesOverUSBHaveTheirHeaders() throws {
    // Of USBTMC 1.0, table 3: `*IDN?` with a newline, filled up to four bytes.
    #expect(
      USBTMCMessage.message(Self.bytes("*IDN?\n"), tag: 3) == [
        1, 3, 252, 0, 6, 0, 0, 0, 1, 0, 0, 0, 42, 73, 68, 78, 63, 10, 0, 0
      ])
    #expect(USBTMCMessage.message([1, 2, 3, 4], tag: 1).count == 16)
    #expect(
      USBTMCMessage.request(65_024, tag: 255) == [2, 255, 0, 0, 0, 254, 0, 0, 0, 0, 0, 0])
    #expect([1, 254, 255].map(USBTMCMessage.tag(after:)) == [2, 255, 1])
    let whole: [UInt8] = [2, 7, 248, 0, 4, 1, 0, 0, 1, 0, 0, 0]
    let answer = USBTMCMessage.answer(whole, tag: 7, limit: 1000)
    #expect(answer == USBTMCMessage.Answer(count: 260, isLast: true))
    #expect(USBTMCMessage.answer(whole, tag: 8, limit: 1000) == nil)
    #expect(USBTMCMessage.answer(whole, tag: 7, limit: 259) == nil)
    for length in whole.indices {
      #expect(USBTMCMessage.answer(Array(whole[..<length]), tag: 7, limit: 1000) == nil)
    }
    for place in whole.indices {
      for byte in UInt8.min...UInt8.max where byte != whole[place] {
        var changed = whole
        changed[place] = byte
        let read = USBTMCMessage.answer(changed, tag: 7, limit: 1000)
        if place < 3 { #expect(read == nil) }
        #expect((read?.count ?? 0) <= 1000)
      }
    }
  }

  /// Each truncation and each corrupted byte is read as something that is right, or as nothing.
  @Test func survivesWhateverComes() {
    let frames = [
      "+1.23456789E-03", "Acme,PSU,1,2", "-113,\"Undefined header\"", "#216abcdefghijklmnop"
    ]
    for frame in frames.map(Self.bytes) {
      for length in frame.indices { Self.read(Array(frame[..<length])) }
      for place in frame.indices {
        for byte in UInt8.min...UInt8.max {
          var changed = frame
          changed[place] = byte
          Self.read(changed)
        }
      }
    }
    var random = SeededGenerator(seed: 7)
    for _ in 0..<2000 { Self.read(random.bytes(Int.random(in: 0..<60, using: &random))) }
  }

  private static func read(_ bytes: [UInt8]) {
    if case .value(let value, let step)? = SCPINumber(bytes) {
      #expect(value.isFinite && abs(value) < 9.9e37 && step >= 0)
    }
    if case .block(let start, let count) = SCPIBlock.header(bytes, limit: 100) {
      #expect((2...11).contains(start) && (0...100).contains(count))
    }
    _ = (SCPIIdentity(bytes), SCPIQueuedError(bytes), SCPIFields.split(bytes))
  }

  @Test func commandsAreFilledIn() {
    #expect(
      SCPICommand.text("VOLT {value},(@{channel})", channel: 2, value: 3.3) == "VOLT 3.3,(@2)")
    #expect(
      [0, 5, -0.5, 3.3, 1e-7, 0.000_001, 12.345678, 1e9, .nan].map(SCPICommand.decimal) == [
        "0", "5", "-0.5", "3.3", "0", "0.000001", "12.345678", "1000000", "0"
      ])
    #expect(SCPICommand.exact(102.4e-6) == "0.0001024" && SCPICommand.exact(2) == "2")
  }

  @Test func profilesAreWhole() throws {
    #expect(Set(SCPIProfile.names).count == SCPIProfile.names.count)
    for profile in SCPIProfile.builtIn {
      #expect(
        !profile.source.isEmpty && profile.readings(of: profile.usual) != nil, "\(profile.name)")
      #expect(
        profile.channels == 1 || profile.select != nil || profile.readings[0].query.contains("{"))
      for command in [
        profile.voltage?.set, profile.currentLimit?.set, profile.overVoltage?.level?.set
      ]
      .compactMap(\.self) {
        #expect(command.contains("{value}"), "\(command)")
      }
    }
    let rigol = try #require(SCPIProfile.builtIn.first { $0.name == "rigol-dp800" })
    #expect(
      rigol.readings(of: [.voltage, .current, .power])?.map(\.query) == [":MEAS:ALL? CH{channel}"])
    #expect(rigol.readings(of: [.current])?.map(\.query) == [":MEAS:CURR? CH{channel}"])
    #expect(rigol.readings(of: [.energy]) == nil)
  }

  static func code(_ options: [String: Value]) -> MeterFailure.Code? {
    do throws(MeterFailure) {
      _ = try SCPIOptions(options, of: "psu")
      return nil
    } catch { return error.code }
  }

  @Test func limitsAreCheckedBeforeAnythingIsSent() {
    let host: [String: Value] = ["host": .text("x")]
    func with(_ more: [String: Value]) -> MeterFailure.Code? {
      Self.code(host.merging(more) { $1 })
    }
    #expect(Self.code([:]) == .invalid && with([:]) == nil)
    #expect(with(["voltage": .number(3.6), "max-voltage": .number(3.6)]) == nil)
    #expect(with(["voltage": .number(3.7), "max-voltage": .number(3.6)]) == .invalid)
    #expect(with(["current-limit": .number(2), "max-current": .number(1)]) == .invalid)
    #expect(with(["voltage": .number(5), "over-voltage": .number(5)]) == .invalid)
    #expect(
      with(["voltage": .number(5), "channels": .list([.integer(1), .integer(2)])]) == .invalid)
    for channels in [[], [0], [1, 1], [-1]] as [[Int64]] {
      #expect(with(["channels": .list(channels.map { .integer($0) })]) == .invalid, "\(channels)")
    }
    #expect(with(["port": .integer(0)]) == .invalid && with(["port": .integer(70_000)]) == .invalid)
    #expect(with(["profile": .text("none")]) == .invalid)
    let match: Value = .map(["ID_SERIAL_SHORT": .text("1")])
    #expect(Self.code(["match": match]) == nil && with(["match": match]) == .invalid)
    let two: Value = .list([.integer(1), .integer(2)])
    #expect(with(["logging": .boolean(true), "channels": two]) == .invalid)
  }
}
