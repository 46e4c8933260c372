import KelvinAgenda
import KelvinModel
import Testing

/// Meters that a command line declares instead of a bench file.
@Suite struct CommandLineMeterTests {
  private func read(_ meters: [String], files: [String: String] = [:]) -> BenchText {
    BenchText(files: files) { $0.meters = meters }
  }

  @Test(arguments: [
    ("{driver: ppk2, match: {ID_SERIAL_SHORT: E1}, voltage: 3.7 V}", "ppk2"),
    ("ppk2: {match: {ID_SERIAL_SHORT: E1}, voltage: 3.7 V}", "ppk2"),
    ("a: {driver: ppk2, match: {ID_SERIAL_SHORT: E1}, voltage: 3.7 V}", "a")
  ])
  func isAsInABenchFile(text: String, name: String) throws {
    let read = read([text])
    #expect(read.lines == [])
    let meter = try #require(read.bench.meters.first)
    #expect(read.bench.meters.count == 1 && meter.name == name)
    #expect(meter.driver.driver == "ppk2")
    #expect(
      meter.driver.options == [
        "match": ["ID_SERIAL_SHORT": "E1"], "voltage": 3.7, "mode": "ampere"
      ])
  }

  @Test func standsBesideThoseOfFiles() throws {
    let file = "meters: {m: {driver: hwmon}}"
    let both = read(["hwmon:", "x: {driver: hwmon}"], files: ["bench.yaml": file])
    #expect(both.lines == [] && both.bench.meters.map(\.name) == ["m", "hwmon", "x"])
    let twice = read(["m: {driver: hwmon}"], files: ["bench.yaml": file])
    #expect(
      twice.lines == [
        "--meter:1:1: error: meter 'm' is already declared at bench.yaml:1:10; "
          + "give one of them another name"
      ])
  }

  @Test(arguments: [
    ("ppk2: {volts: 3}", "--meter:1:8: error: meter 'ppk2': unknown key 'volts'"),
    ("ppk3: {}", "--meter:1:1: error: meter 'ppk3': unknown driver 'ppk3'; did you mean 'ppk2'?"),
    ("{driver: [a]}", "--meter:1:1: error: expected one meter"),
    ("{a: {driver: hwmon}, b: {driver: hwmon}}", "--meter:1:1: error: expected one meter"),
    ("hwmon: [1]", "--meter:1:1: error: expected one meter"), ("[hwmon]", "expected one meter"),
    ("{}", "expected one meter"), ("hwmon: {", "--meter:2:1: error: not valid YAML"),
    ("a: {driver: }", "--meter:1:1: error:"),
    ("-x: {driver: hwmon}", "the name starts with '-'"),
    ("'a b': {driver: hwmon}", "the name contains")
  ])
  func mistakesAreTold(text: String, says: String) {
    let read = read([text])
    #expect(!read.isRead)
    #expect(read.lines.first?.contains(says) == true, "\(read.lines)")
  }

  @Test func truncatedAtEachByteItIsReadOrRefused() {
    let text = "ppk2: {match: {ID_SERIAL_SHORT: 'E1'}, voltage: 3.7 V}"
    for end in text.indices {
      let read = read([String(text[..<end])])
      #expect(read.isRead != read.lines.contains { $0.contains(": error:") }, "\(text[..<end])")
    }
  }
}
