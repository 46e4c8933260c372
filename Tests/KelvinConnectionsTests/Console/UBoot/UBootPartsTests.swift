import KelvinSimulators
import Testing

@testable import KelvinConnections

/// The parts of U-Boot's command line that need no board.
struct UBootPartsTests {
  @Test(arguments: [
    ("plain", "'plain'"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("'", "\\'"),
    ("\\", "\\\\"), ("a\\b", "'a'\\\\'b'"), ("$x;", "'$x;'")
  ])
  func quotesWords(word: String, quoted: String) {
    #expect(String(decoding: UBootQuoting.word(word.utf8), as: UTF8.self) == quoted)
  }

  @Test(arguments: [
    "true", "echo fi", "echo 'fi'", "'fi'", "if a;then b;elif c;then d;else e;fi",
    "for x in if fi;do if a;then b;fi;done", "while a;do b;done", "echo a#b", "echo \\#", "a && b",
    "until a\ndo\nb\ndone", "echo \"it's\"", "if if a;then b;fi;then c;fi"
  ])
  func takesCommandsThatEnd(command: String) {
    #expect(UBootQuoting.obstacle(Array(command.utf8)) == nil)
  }

  @Test(arguments: [
    "", " ; ", "fi", "done", "if a", "if a;then b", "for x in a;do b", "a;#", "#", "echo 'a",
    "echo \"a", "a\\", "then", "a;else", "if a;then b;done", "do a", "a\rb", "a\u{7F}", "if a;fi;fi"
  ])
  func refusesCommandsThatWouldHideTheirEnd(command: String) {
    #expect(UBootQuoting.obstacle(Array(command.utf8)) != nil)
  }

  @Test(arguments: [
    ("Hit any key to stop autoboot:  2 ", " "), ("Press SPACE to abort autoboot in 3 seconds", " "),
    ("Press ESC to stop autoboot", "\u{1B}"), ("Hit 'xyz' to stop autoboot: 1", "xyz"),
    ("Autoboot in 5 seconds, press <Ctrl-C> to stop", "\u{3}"),
    ("Press Enter to interrupt boot", "\r"), ("Press s to stop autoboot: 3", "s"),
    ("Hit Ctrl+D to abort autoboot", "\u{4}"), ("\u{1B}[0mHit any key to stop autoboot: 9", " "),
    ("Type \"stop\" to abort autoboot in 2", "stop"), ("Hit an key to stop autoboot:  2", " ")
  ])
  func readsTheKeysThatACountdownAsksFor(line: String, keys: String) {
    var watch = UBootWatch()
    watch.append("DRAM:  1 GiB\r\n\(line)".utf8)
    #expect(watch.isCounting)
    #expect(watch.countdown.flatMap(UBootWatch.stopKeys) == Array(keys.utf8))
    watch.append("\u{8}\u{8}\u{8} 0 \r\n".utf8)
    #expect(!watch.isCounting)
    #expect(watch.countdown != nil)
  }

  @Test(arguments: [
    "Loading Environment from Flash... ", "=> printenv bootdelay", "resetting ...",
    "reboot: Restarting",
    "Press any key to continue ", "Autoboot aborted", "[    1.0] Please press enter "
  ])
  func takesNothingElseForACountdown(line: String) {
    var watch = UBootWatch()
    watch.append(line.utf8)
    #expect(watch.countdown == nil)
  }

  @Test func saysNothingOfKeysThatAreNotNamed() {
    let line = Array("Autoboot in 3 seconds ".utf8)
    #expect(UBootWatch.isCountdown(line))
    #expect(UBootWatch.stopKeys(line) == nil)
  }

  @Test(arguments: [
    "[    0.000000] Linux version 6.1.0\r\n", "\r\nStarting kernel ...\r\n",
    "EFI stub: Booting Linux Kernel...\r\n", "[    0.0] Booting Linux on physical CPU 0x0\n"
  ])
  func noticesAKernel(text: String) {
    var watch = UBootWatch()
    watch.append(text.utf8)
    #expect(watch.hasKernel)
  }

  private static let line = UBootLine(id: "7.abc123", isHush: true)

  @Test func findsMarksInAnswersButNotInEchoes() {
    let line = Self.line
    let typed = line.command(Array("echo x".utf8))
    #expect(typed.count == 1 && typed[0].firstRange(of: line.begin) == nil)
    #expect(line.end(in: typed[0]) == nil)
    let answer = line.begin + Array("\r\nxKe7.\r\n".utf8)
    let bytes = answer + line.end(1) + Array("\r\n=> ".utf8)
    let end = line.end(in: bytes)
    #expect(end?.status == 1)
    #expect(end?.range == answer.count..<answer.count + line.end(1).count)
  }

  /// At each place: nothing but the truth, or nothing.
  @Test func neverReadsAStatusFromADamagedMark() {
    let line = Self.line
    for status: Int32 in [0, 1, 12, 127, 255] {
      let mark = line.end(status)
      for place in mark.indices {
        #expect(line.end(in: Array(mark[..<place])) == nil)
        var lost = mark
        lost.remove(at: place)
        #expect(line.end(in: lost).map { $0.status == status } ?? true)
        for bit in 0..<8 {
          var changed = mark
          changed[place] ^= 1 << bit
          #expect(line.end(in: changed) == nil)
        }
        var doubled = mark
        doubled.insert(mark[place], at: place)
        #expect(line.end(in: doubled).map { $0.status == status } ?? true)
      }
    }
  }

  @Test(arguments: [
    ("Kq7.abc123.0.7.abc123.0.\r\n=> ", UBootLine.Memory.ended(0)),
    ("noise Kq7.abc123.255.7.abc123.255.\r\n", .ended(255)),
    ("Kq7.abc123.7.abc123.\r\n", .begun), ("Kq6.abc123.0.6.abc123.0.\r\n", .notRun),
    ("Kq..\r\n", .notRun), ("echo Kq$kr.$kr.\r\nKq7.abc123.1.7.abc123.1.\r\n", .ended(1))
  ])
  func readsWhatTheBoardRemembers(text: String, memory: UBootLine.Memory) {
    #expect(Self.line.memory(in: Array(text.utf8)) == memory)
  }

  @Test(arguments: [
    "", "Kq", "Kq7.abc123.0.7.abc123.0.", "Kq7.abc123.0.7.abc123.1.\r\n", "echo Kq$kr.$kr.\r\n",
    "Kq7.abc123.0.7.abc13.0.\r\n", "Kq\r\n"
  ])
  func readsNothingFromADamagedMemory(text: String) {
    #expect(Self.line.memory(in: Array(text.utf8)) == nil)
  }

  @Test func readsTheEnvironmentWithItsEscapes() {
    let list = "a=1\nempty=\nlines=x\\\ny=2\\\\\n=odd\nnot a variable\nz=a=b\n"
    let environment = UBootEnvironment(
      Array("\(list)\nEnvironment size: \(list.utf8.count + 1)/262140 bytes\n".utf8))
    #expect(environment.isWhole == true)
    #expect(environment["a"] == Array("1".utf8))
    #expect(environment["empty"] == [])
    #expect(environment["lines"] == Array("x\ny=2\\".utf8))
    #expect(environment["not a variable"] == nil)
    #expect(UBootEnvironment(Array("a=1\n\nEnvironment size: 9/1 bytes\n".utf8)).isWhole == false)
    #expect(UBootEnvironment(Array("a=1".utf8)).isWhole == nil)
  }

  @Test func noticesEachLossInAnEnvironment() {
    let list = "arch=arm\nbootcmd=run a; run b\nlines=x\\\ny\n"
    let whole = Array("\(list)\nEnvironment size: \(list.utf8.count + 1)/262140 bytes\n".utf8)
    let expected = UBootEnvironment(whole)
    for place in whole.indices {
      var lost = whole
      lost.remove(at: place)
      let environment = UBootEnvironment(lost)
      #expect(environment.isWhole != true || environment.variables == expected.variables)
    }
  }

  @Test(arguments: [
    ("abcdef", "xxabcdefyy", 0, 2, 6), ("abcdef", "xxabdefyy", 1, 2, 5),
    ("abcdef", "xxabQcdefyy", 1, 2, 7), ("abcdef", "xxabQdefyy", 1, 2, 6)
  ])
  func findsDamagedText(pattern: String, text: String, errors: Int, offset: Int, count: Int) {
    let found = ApproximateSearch.find(Array(pattern.utf8), in: Array(text.utf8), errors: errors)
    #expect(found?.offset == offset && found?.count == count)
    #expect(
      ApproximateSearch.find(Array(pattern.utf8), in: Array("nothing".utf8), errors: 2) == nil)
  }

  @Test(arguments: [
    ("echo a", true), ("", false), ("echo ", false), ("usb 1-1: new\r\necho a", true),
    ("ecusb 1-1: new\r\nho a", true), ("eone\nctwo\n\nho a", true),
    ("eone\nctwo\n\nho athree\n", true),
    // Nothing makes up for what is lost, doubled, changed or too much.
    ("eho a", false), ("eh c\no a", false), ("eccho a", false), ("echo b", false),
    ("echo ab", false),
    ("eclusb\nho b", false), ("usb ho a echo a", false)
  ])
  func readsAnEchoBetweenTheLinesOfOthers(heard: String, isComplete: Bool) {
    var whole = EchoReading(of: "echo a".utf8)
    whole.append(heard.utf8)
    var pieces = EchoReading(of: "echo a".utf8)
    for byte in heard.utf8 { pieces.append([byte]) }
    #expect(whole.isComplete == isComplete && pieces.isComplete == isComplete)
  }

  @Test func noticesWhereAnEchoStandsStill() {
    var reading = EchoReading(of: "echo a".utf8)
    reading.append("ec".utf8)
    #expect(reading.isInOrder)
    reading.append("usb 1-1".utf8)
    #expect(!reading.isInOrder)
    reading.append("\r\n".utf8)
    #expect(reading.isInOrder && !reading.isComplete)
  }

  /// What a line may say: hostile bytes never stop the readers.
  @Test func survivesAnything() {
    var generator = SeededGenerator(seed: 61)
    let words = [
      "Kb", "Ke", "Kq", "7.abc123", ".", "0", "\r\n", "=> ", "=", "\\", "\n", "any key",
      "Hit", "stop autoboot", "'", "Environment size: ", "9999999999999999999999", "<", "\""
    ].map { Array($0.utf8) }
    var whole = 0
    for _ in 0..<3000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<40, using: &generator) {
        bytes +=
          generator.chance(0.7)
          ? words[Int.random(in: words.indices, using: &generator)] : generator.bytes(3)
      }
      var watch = UBootWatch()
      watch.append(bytes)
      _ = watch.countdown.map(UBootWatch.stopKeys)
      if let end = Self.line.end(in: bytes) {
        #expect(bytes[end.range].elementsEqual(Self.line.end(end.status)))
      }
      _ = Self.line.memory(in: bytes)
      _ = UBootQuoting.obstacle(bytes)
      if UBootEnvironment(bytes).isWhole == true { whole += 1 }
      if let found = ApproximateSearch.find(Self.line.begin, in: bytes, errors: 3) {
        #expect(found.offset + found.count <= bytes.count)
      }
    }
    #expect(whole == 0)
  }
}
