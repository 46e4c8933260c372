import Foundation
import KelvinAgenda
import KelvinModel
import Testing

/// Bench files and profiles that mean harm, or were damaged.
@Suite struct BenchHostileTests {
  private static let good = """
    boards:
      rock:
        profile: rock-5b
        connection: {ssh: {host: 10.0.0.7}}
        console: {serial: {match: {'@ID_PATH': p}, baud: 1500000}}
        power: {usb-hub: {match: {s: '0001'}, port: 3}}
        meters: [m]
        lease: {acquire: book, release: free}
    meters:
      m: {driver: ppk2, voltage: 3.7 V}
    """

  @Test(.timeLimit(.minutes(1)))
  func survivesTruncationAtEveryByte() {
    let bytes = Array(BenchHostileTests.good.utf8)
    for count in 0..<bytes.count {
      let read = BenchText(String(decoding: bytes[..<count], as: UTF8.self))
      // Whatever is understood is a bench; whatever is not is told.
      #expect(read.isRead || !read.lines.isEmpty, "\(count)")
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: [0x00, 0x09, 0x22, 0x2d, 0x3a, 0x7b, 0xff] as [UInt8])
  func survivesCorruptionAtEveryByte(bad: UInt8) throws {
    let folder = Folder()
    let original = Array(BenchHostileTests.good.utf8)
    for index in original.indices {
      var bytes = original
      bytes[index] = bad
      let path = folder.write("bench.yaml", Data(bytes))
      do throws(ConfigurationFailure) {
        let reading = try BenchReader.read(
          BenchRequest(paths: [path], profileNames: ["rock-5b"]), declarations: .sample)
        #expect(reading.bench.boards.count <= 1)
      } catch {
        #expect(!error.diagnostics.isEmpty)
        #expect(!error.message.contains("\0"))
      }
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func manyEntriesAreLimited() {
    let text =
      "boards:\n"
      + (1...40).map { "  b\($0): {profile: rock-5b, connection: {ssh: {host: h\($0)}}}\n" }
      .joined()
    let read = BenchText(text) { $0.entryLimit = 30 }
    #expect(read.lines == ["bench.yaml:32:3: error: more than 30 boards are declared"])
    #expect(BenchText(text).bench.boards.count == 40)
  }

  @Test(.timeLimit(.minutes(1)))
  func manyMistakesAreCounted() {
    let text =
      "boards:\n"
      + (1...9000).map { "  b\($0): {profile: x, power: y, meters: [z\($0)]}\n" }.joined()
    let read = BenchText(text)
    #expect(read.lines.count == 1001)
    #expect(read.lines.last?.contains("more mistakes are not listed") == true)
  }

  @Test(.timeLimit(.minutes(1)))
  func unknownMetersAmongVeryManyAreToldInTime() {
    let text =
      "boards: {a: {profile: rock-5b, connection: local, meters: ["
      + (1...5000).map { "meter-of-the-lab-x\($0)" }.joined(separator: ", ") + "]}}\nmeters:\n"
      + (1...5000).map { "  meter-of-the-lab-\($0): {driver: ppk2, match: {s: '\($0)'}}\n" }
      .joined()
    #expect(BenchText(text).lines.count == 1001)
  }

  @Test(.timeLimit(.minutes(1)))
  func aliasesOfAliasesAreRefused() {
    var text = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n"
    for level in 1...9 {
      let name = "*x\(level - 1)"
      text +=
        "x\(level): &x\(level) [" + repeatElement(name, count: 10).joined(separator: ", ") + "]\n"
    }
    #expect(BenchText(text).lines.contains { $0.contains("expands the file to more than") })
  }

  @Test(.timeLimit(.minutes(1)))
  func oneBoardWithVeryManyMetersIsReadInTime() {
    let names = (1...50_000).map { "m\($0)" }.joined(separator: ", ")
    let read = BenchText(
      "boards: {a: {profile: rock-5b, connection: local, meters: [\(names), m1]}}")
    #expect(read.lines.count == 1001)
    #expect(read.lines.contains { $0.hasSuffix("board 'a': meter 'm1' is listed twice") })
  }

  @Test func optionsWithoutEndAreCut() {
    let text =
      "boards: {a: {profile: rock-5b, connection: {ssh: {host: h, "
      + (1...3000).map { "x\($0): 1" }.joined(separator: ", ") + "}}}}"
    #expect(BenchText(text).lines.count <= 1001)
  }

  @Test(arguments: ["\u{9b}2J", "\u{202e}", "a\u{2028}b", "a/b", "..", "\u{7f}"])
  func namesHoldNothingThatDrivesATerminalOrAPath(name: String) {
    let read = BenchText("meters: {\"\(name)\": ppk2}")
    #expect(!read.isRead)
  }

  @Test func controlCharactersCannotReachTheTerminal() {
    let read = BenchText(
      #"{"\e[2J": 1, boards: {"\e[1m": {}, a: {"\e[3m": 1, profile: "\e[4m", power: {"\e[5m": 1}}}, "#
        + #"meters: {m: "\e[6m"}}"#)
    #expect(read.lines.count >= 6)
    #expect(!read.lines.joined().contains("\u{1b}"))
  }
}
