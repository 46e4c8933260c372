import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinMeters

/// IIO devices that are read channel by channel, on a recorded tree.
@Suite(.timeLimit(.minutes(1)))
struct IIORawTests {
  private static let top = "/sys/bus/iio/devices/iio:device0"

  private func tree(_ more: [String: String] = [:]) throws -> RecordedTree {
    try RecordedTree(
      [
        "\(Self.top)/name": "ads1015\n", "\(Self.top)/in_voltage0_raw": "1000\n",
        "\(Self.top)/in_voltage0_scale": "2.000000000\n", "\(Self.top)/in_voltage1_raw": "-7\n",
        "\(Self.top)/in_voltage1_offset": "107\n", "\(Self.top)/in_voltage_scale": "0.5\n",
        "\(Self.top)/in_voltage1_label": "vbat\n", "\(Self.top)/in_temp_raw": "25\n",
        "\(Self.top)/in_temp_scale": "1000\n"
      ].merging(more.mapValues { $0 + "\n" }) { $1 })
  }

  private func open(
    _ tree: RecordedTree, _ more: [String: Value] = [:], shell: Bool = false
  ) async throws -> any Meter {
    try await IIODriver().open(
      name: "adc", options: (["device": "ads1015"] as [String: Value]).merging(more) { $1 },
      through: LocalConnection(root: tree.root), until: soon)
  }

  @Test func readsChannelsOneByOne() async throws {
    let tree = try tree()
    let meter = try await open(tree, ["rate": 200])
    #expect(meter.channels.map(\.name) == ["temp", "vbat", "voltage0"] || meter.channels.count == 3)
    let sink = KeepingSink()
    try await meter.start(into: sink, until: soon)
    try sink.wait(for: 30)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil)
    for (name, value, unit) in [
      ("voltage0", 2.0, "V"), ("vbat", 0.05, "V"), ("temp", 25.0, "degC")
    ] {
      let index = try #require(meter.channels.firstIndex { $0.name == name })
      let channel = meter.channels[index]
      #expect(channel.unit == unit)
      let codes = sink.samples(index).codes
      #expect(codes.count >= 5 && codes.allSatisfy { abs(channel.value(of: $0) - value) < 1e-9 })
    }
    #expect(meter.identity.location.contains("read channel by channel"))
  }

  @Test func channelsCanBeChosen() async throws {
    let tree = try tree()
    let meter = try await open(tree, ["channels": ["vbat", "voltage0"]])
    #expect(Set(meter.channels.map(\.name)) == ["vbat", "voltage0"] && meter.rate == 10)
  }

  @Test(
    arguments: [
      (["channels": ["voltage9"]], [:], "has no channel voltage9 that can be read"),
      (["shunt": 0.1], [:], "'shunt' is set for captures through a buffer only"),
      (["readout": "buffer"], [:], "has no channel that can be captured"),
      ([:], ["in_temp_scale": "none"], "a scale that is none"),
      ([:], ["in_voltage0_scale": "0"], "a scale that is none")
    ] as [([String: Value], [String: String], String)])
  func whatCannotBeIsRefused(
    options: [String: Value], files: [String: String], says: String
  ) async throws {
    let paths = files.map { ("\(Self.top)/\($0.key)", $0.value) }
    let tree = try tree(Dictionary(uniqueKeysWithValues: paths))
    let failure = await #expect(throws: MeterFailure.self) { try await open(tree, options) }
    #expect(failure?.message.contains(says) == true, "\(failure?.message ?? "")")
  }
}
