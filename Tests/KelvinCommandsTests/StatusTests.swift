import KelvinModel
import Testing

@testable import KelvinCommands

/// The status line as a pure function.
@Suite struct StatusTests {
  private var status: Status {
    var status = Status()
    status.board = "local"
    status.total = 20
    status.ended = 4
    status.notOK = 1
    status.current = "openssl 2"
    status.stage = .running
    status.start = 1_000_000_000
    status.jobStart = 8_500_000_000
    status.load = 0.5
    return status
  }

  @Test func saysWhereTheRunIs() {
    #expect(
      status.line(now: 9_000_000_000, columns: 200)
        == "[5/20] local  openssl 2: running  0.5 s  cpu 50 %  about 32 s left  1 not ok")
  }

  @Test func isCutToTheTerminal() {
    for columns in [20, 40, 79] {
      #expect(status.line(now: 9_000_000_000, columns: columns).count < columns)
    }
  }

  @Test func saysNothingAboutTimeLeftBeforeItCanKnow() {
    var status = status
    status.ended = 0
    #expect(status.remaining(now: 9_000_000_000) == nil)
  }

  @Test(
    arguments: [
      (0, "0.0 s"), (1_500_000_000, "1.5 s"), (9_900_000_000, "9.9 s"), (10_000_000_000, "10 s"),
      (59_000_000_000, "59 s"), (185_000_000_000, "3 min 05 s"), (7_620_000_000_000, "2 h 07 min"),
      (-5, "0.0 s")
    ] as [(Int64, String)])
  func durationsAreShort(nanoseconds: Int64, text: String) {
    #expect(DurationText.short(nanoseconds) == text)
  }
}
