import KelvinModel
import KelvinPatterns
import Testing

@testable import KelvinExecution

/// When the lines of a console's log came, from its index.
@Suite struct ConsoleTimesTests {
  private func times(
    _ text: String, _ chunks: [(UInt64, Int64)], from position: UInt64 = 100
  )
    -> ConsoleTimes
  {
    ConsoleTimes(Array(text.utf8), from: position, chunks: chunks)
  }

  @Test func aLinesTimeIsThatOfItsFirstByte() throws {
    // Chunks end at 104, 110 and 120; the second line begins in the first one.
    let log = times("ab\ncdefgh\nlogin: ", [(104, 1), (110, 2), (120, 3)])
    #expect(log.first(try Pattern("^ab$"))?.nanoseconds == 1)
    #expect(log.first(try Pattern("^cdefgh$"))?.nanoseconds == 1)
    #expect(log.first(try Pattern("login: ?$"))?.nanoseconds == 3)
    #expect(log.first(try Pattern("nothing")) == nil)
  }

  /// A torn index says nothing of the bytes behind it.
  @Test func bytesWithoutALineOfTheIndexHaveNoTime() throws {
    let log = times("ab\ncd\n", [(103, 1)])
    #expect(log.first(try Pattern("ab")) != nil)
    #expect(log.first(try Pattern("cd")) == nil)
    #expect(times("", []).first(try Pattern("x")) == nil)
    #expect(times("a\nb\n", [(50, 9)]).first(try Pattern("a")) == nil)
  }

  @Test func aPromptMayFollowARuleOfCarriageReturns() throws {
    let log = times("\r\n\r\nrock login: \r\n", [(200, 5)])
    #expect(log.first(try Pattern("login: $"))?.nanoseconds == 5)
  }
}
