import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What an Energy Probe is told, what it answers, and what a bench file may say of it.
struct EnergyProbeProtocolTests {
  @Test func commandsAreTheBytesThatCaimanSends() {
    #expect(EnergyProbeCommand.sync == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff])
    #expect(EnergyProbeCommand.version.bytes == [1])
    #expect(EnergyProbeCommand.vendor.bytes == [3])
    #expect(EnergyProbeCommand.rate.bytes == [5])
    #expect(EnergyProbeCommand.fields(channel: 2, mask: 5).bytes == [7, 2, 5])
    #expect(EnergyProbeCommand.start.bytes == [9])
    #expect(EnergyProbeCommand.stop.bytes == [11])
    #expect(EnergyProbeField.allCases.map(\.mask) == [1, 2, 4])
    #expect(EnergyProbeField.allCases == [.power, .voltage, .current])
  }

  @Test func answersAreReadAsTheyCome() {
    // 20110803, and zeros before the acknowledgment.
    let version: [UInt8] = [0, 0, 0xac, 0xd3, 0xdd, 0x32, 0x01]
    for length in 0..<version.count {
      #expect(EnergyProbeAnswer(Array(version[..<length]), .number) == .incomplete, "\(length)")
    }
    #expect(EnergyProbeAnswer(version, .number) == .whole([0xd3, 0xdd, 0x32, 0x01]))
    #expect(EnergyProbeAnswer.number([0xd3, 0xdd, 0x32, 0x01]) == EnergyProbeLimits.version)
    #expect(EnergyProbeAnswer(version + [0], .number) == .wrong)
    let vendor: [UInt8] = [0xac, 0x41, 0x52, 0x4d, 0]
    for length in 0..<vendor.count {
      #expect(EnergyProbeAnswer(Array(vendor[..<length]), .text) == .incomplete, "\(length)")
    }
    #expect(EnergyProbeAnswer(vendor, .text) == .whole([0x41, 0x52, 0x4d]))
    #expect(EnergyProbeAnswer([0xac, 0], .text) == .whole([]))
    #expect(EnergyProbeAnswer(vendor + [1], .text) == .wrong)
    #expect(EnergyProbeAnswer([0xac], .nothing) == .whole([]))
    #expect(EnergyProbeAnswer([0, 0xac], .nothing) == .whole([]))
    #expect(EnergyProbeAnswer([0xac, 1], .nothing) == .wrong)
    for byte in UInt8(1)...255 where byte != 0xac {
      #expect(EnergyProbeAnswer([byte], .nothing) == .wrong)
      #expect(EnergyProbeAnswer([0, byte, 0xac], .number) == .wrong)
    }
  }

  @Test func nothingIsReadForEver() {
    #expect(EnergyProbeAnswer([UInt8](repeating: 0, count: 1 << 16), .nothing) == .wrong)
    #expect(EnergyProbeAnswer([0xac] + [UInt8](repeating: 65, count: 256), .text) == .wrong)
    var random = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      let bytes = random.bytes(Int.random(in: 0..<64, using: &random))
      for content in [EnergyProbeAnswer.Content.nothing, .number, .text] {
        if case .whole(let rest) = EnergyProbeAnswer(bytes, content) {
          #expect(bytes.contains(0xac) && rest.count < bytes.count)
        }
      }
    }
  }

  /// Saturated fields are 0xff, too: only what stands at the end counts.
  @Test func itIsInSyncWhenItsAnswerIsTheLast() {
    let eight = EnergyProbeCommand.synced
    #expect(EnergyProbeAnswer.isSynced(eight))
    #expect(EnergyProbeAnswer.isSynced([1, 2, 3] + eight))
    #expect(EnergyProbeAnswer.isSynced([0xff, 0xff] + eight + [0, 0]))
    #expect(!EnergyProbeAnswer.isSynced(eight.dropLast()))
    #expect(!EnergyProbeAnswer.isSynced(eight + [7]))
    #expect(!EnergyProbeAnswer.isSynced([]) && !EnergyProbeAnswer.isSynced([0, 0, 0]))
    for place in eight.indices {
      var bytes = eight
      bytes[place] = 0x7f
      #expect(!EnergyProbeAnswer.isSynced(bytes), "\(place)")
    }
  }

  static func options(_ channels: [String: Value]) -> [String: Value] {
    ["channels": .map(channels)]
  }

  @Test func channelsAreWhatABenchFileSays() throws {
    let options = try EnergyProbeOptions(
      Self.options([
        "2": .map([
          "shunt": .number(0.1), "site": .text("gpu"),
          "fields": .list([.text("current"), .text("voltage")])
        ]),
        "0": .map(["shunt": .number(0.02)])
      ]).merging(["accuracy": .map(["current": .text("1 % + 2 mA")])]) { $1 }, of: "probe")
    #expect(options.ports.map(\.number) == [0, 2] && options.ports.map(\.mask) == [1, 6])
    let channels = options.channels
    #expect(channels.map(\.name) == ["channel0.power", "gpu.voltage", "gpu.current"])
    #expect(
      channels.map(\.unit) == ["W", "V", "A"]
        && channels.map(\.kind) == [.power, .voltage, .current])
    // A step is 100 mW·mohm over the shunt, a millivolt, 100 mA·mohm over the shunt.
    #expect(abs(channels[0].scale - 5e-3) < 1e-15 && channels[1].scale == 1e-3)
    #expect(abs(channels[2].scale - 1e-3) < 1e-15)
    let greatest = channels[2].range?.upperBound ?? 0
    #expect(abs(greatest - 1.65) < 1e-12 && channels[0].range == nil)
    // Nobody states an accuracy but the bench file.
    #expect(channels[0].accuracy == nil && channels[2].accuracy?.gain == 0.01)
  }

  @Test func mistakesAreToldBeforeAnythingIsSent() {
    func code(_ options: [String: Value]) -> MeterFailure.Code? {
      do throws(MeterFailure) {
        _ = try EnergyProbeOptions(options, of: "probe")
        return nil
      } catch { return error.code }
    }
    func shunt(_ ohms: Double) -> Value { .map(["shunt": .number(ohms)]) }
    #expect(code(Self.options(["0": shunt(0.005), "1": shunt(0.5)])) == nil)
    #expect(code([:]) == .invalid && code(Self.options([:])) == .invalid)
    for ohms in [0, -0.02, 0.0049, 0.51, .infinity, .nan] {
      #expect(code(Self.options(["0": shunt(ohms)])) == .invalid, "\(ohms)")
    }
    for key in ["3", "-1", "00", "cpu", "", "1.0"] {
      #expect(code(Self.options([key: shunt(0.02)])) == .invalid, "\(key)")
    }
    #expect(code(Self.options(["1": .map([:])])) == .invalid)
    let same: Value = .map(["shunt": .number(0.02), "site": .text("cpu")])
    #expect(code(Self.options(["0": same, "1": same])) == .invalid)
    // A name that another one has by itself.
    let taken: Value = .map(["shunt": .number(0.02), "site": .text("channel1")])
    #expect(code(Self.options(["0": taken, "1": shunt(0.02)])) == .invalid)
    for fields in [[], ["energy"], ["power", "power"]] {
      let value: Value = .map([
        "shunt": .number(0.02), "fields": .list(fields.map(Value.text))
      ])
      #expect(code(Self.options(["0": value])) == .invalid, "\(fields)")
    }
  }

  @Test func codesAreWhatWasSent() {
    let wave = EnergyProbeWaveform(seed: 9)
    let masks: [UInt8] = [1, 6, 7]
    var bytes: [UInt8] = []
    for frame in Int64(0)..<500 { bytes += wave.frame(frame, number: frame, masks: masks) }
    bytes[14 * 77 + 6] = 0xff
    bytes[14 * 77 + 7] = 0xff
    var decoder = EnergyProbeDecoder(fields: 6)
    let times = SampleTimes.regular(first: 1000, step: 1e5, count: 500)
    let decoded = decoder.decode(bytes.span, at: times)
    #expect(decoded.blocks.map(\.channel) == Array(0..<6))
    let fields = [(0, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    for (place, (channel, field)) in fields.enumerated() {
      var codes = (0..<Int64(500)).map { Int64(wave.code(channel, field, at: $0)) }
      if place == 2 { codes[77] = 65_535 }
      #expect(decoded.blocks[place].codes == codes && decoded.blocks[place].times == times)
    }
    #expect(decoded.events.count == 1)
    #expect(decoded.events.first?.channel == 2 && decoded.events.first?.from == times[77])
    #expect(decoder.counts["saturated"] == .integer(1))
  }
}
