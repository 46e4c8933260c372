import KelvinModel
import Testing

@testable import KelvinTargets

/// What /proc says of processes, told by a kernel or by whoever wants to be mistaken for one.
struct ProcessParserTests {
  static let stat =
    "4711 (my) (prog) R 42 4711 4711 0 -1 4194560 900 0 0 0 12 3 0 0 20 0 1 0 987654 8192000 300 "
    + "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n"
  static let status =
    "Name:\tmy) (prog\nState:\tR (running)\nTgid:\t4711\nPid:\t4711\nPPid:\t42\n"
    + "Uid:\t1000\t1000\t1000\t1000\nVmRSS:\t    1200 kB\nThreads:\t1\n"

  private func process(_ stat: String, _ status: String, _ words: String) -> TargetProcess? {
    TargetProcess(
      stat: Array(stat.utf8), status: Array(status.utf8), commandLine: Array(words.utf8))
  }

  @Test func readsOneProcess() throws {
    let found = try #require(process(Self.stat, Self.status, "/bin/my\0--x\0two words\0"))
    #expect(found.processID == 4711 && found.parentID == 42 && found.startTicks == 987_654)
    #expect(found.userID == 1000 && found.residentBytes == 1200 * 1024 && found.state == "R")
    #expect(found.name == "my) (prog")
    #expect(found.arguments == ["/bin/my", "--x", "two words"])
    #expect(found.commandLine == "/bin/my --x 'two words'")
    #expect(try #require(process(Self.stat, Self.status, "")).commandLine == "[my) (prog]")
  }

  @Test(
    arguments: [
      ("a\0\0b\0", ["a", "", "b"]), ("a\0b\0\0", ["a", "b", ""]), ("a", ["a"]), ("\0\0\0", []),
      ("a\0b", ["a", "b"]), ("nginx: worker\0\0\0\0", ["nginx: worker"])
    ])
  func keepsEmptyArgumentsAndTitles(words: String, arguments: [String]) throws {
    #expect(try #require(process(Self.stat, Self.status, words)).arguments == arguments)
  }

  /// A process chooses its name: one with line ends and parentheses forges nothing.
  @Test(
    arguments: [
      "x\n1 (init) S 0 1 1 0", "a) S 1 (b", ")", "(", "\u{7f}\u{1b}[2J", "x) Z 1 1 1 0 -1 0 0 0"
    ])
  func aNameForgesNothing(name: String) throws {
    let stat = Self.stat.replacing("my) (prog", with: name)
    let escaped = name.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    let status = Self.status.replacing("my) (prog", with: escaped)
    let found = try #require(process(stat, status, "x\0"))
    #expect(found.name == name)
    #expect(found.parentID == 42 && found.state == "R" && found.startTicks == 987_654)
    #expect(found.userID == 1000)
  }

  @Test func takesNothingThatWasCut() {
    for length in 0..<Self.stat.utf8.count {
      #expect(process(String(Self.stat.prefix(length)), Self.status, "") == nil, "\(length)")
    }
    let needed = Self.status.firstRange(of: "Uid:\t1")?.upperBound
    for index in Self.status.indices where index < needed ?? Self.status.endIndex {
      #expect(process(Self.stat, String(Self.status[..<index]), "") == nil)
    }
  }

  @Test(
    arguments: [
      ("Pid:\t4711", "Pid:\t4712"), ("Uid:\t1000", "Uid:\t-1"), ("Uid:\t1000", "Uid:\t99999999999"),
      ("Uid:\t1000", "Uid:\tx")
    ])
  func refusesWhatBelongsToAnother(text: String, other: String) {
    #expect(process(Self.stat, Self.status.replacing(text, with: other), "") == nil)
  }

  @Test func surprisingSizesAreNone() throws {
    for size in ["9223372036854775807 kB", "-4 kB", "many", ""] {
      let status = Self.status.replacing("1200 kB", with: size)
      #expect(try #require(process(Self.stat, status, "")).residentBytes == 0)
    }
  }

  @Test func survivesAnyByte() {
    let bytes = Array(Self.stat.utf8)
    for index in bytes.indices {
      for value: UInt8 in [0, 10, 32, 40, 41, 255] {
        var damaged = bytes
        damaged[index] = value
        let found = TargetProcess(stat: damaged, status: Array(Self.status.utf8), commandLine: [])
        #expect(found == nil || found?.processID == 4711)
      }
    }
  }

  // MARK: Which are meant

  @Test(
    arguments: [
      ("my) (prog", true), ("4711", true), ("my", true), ("/bin/my", true), ("m", false),
      ("m*", true), ("*two words", true), ("/bin/??", true), ("", true), ("471", false),
      ("[xyz]", false)
    ])
  func matchesNamesAndPatterns(text: String, isMeant: Bool) throws {
    let found = try #require(process(Self.stat, Self.status, "/bin/my\0--x\0two words\0"))
    #expect(ProcessMatch(text).matches(found) == isMeant)
  }

  // MARK: Users

  @Test func namesUsers() {
    let linux = UserNames(
      passwd: Array("root:x:0:0::/root:/bin/sh\nbroken\n:x:5:\ntoor:x:0:0\nme:x:1000".utf8),
      isAndroid: false)
    #expect(
      linux[0] == "root" && linux[1000] == "me" && linux[5] == "5" && linux[10_123] == "10123")
    let android = UserNames(passwd: nil, isAndroid: true)
    #expect(
      android[2000] == "shell" && android[10_123] == "u0_a123" && android[1_010_123] == "u10_a123")
    #expect(
      android[99_001] == "u0_i9001" && android[1000] == "system" && android[101_000] == "u1_system")
    #expect(android[UInt32.max] == "4294967295" && android[7777] == "7777")
  }
}
