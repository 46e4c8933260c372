import Glibc
import Testing

@testable import KelvinSystem

struct ProcessEntryTests {
  static let tail = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 18446744073709551615 1"

  static func parse(_ text: String) -> ProcessEntry? {
    Array(text.utf8).withUnsafeBytes { ProcessEntry(processID: 4711, stat: $0) }
  }

  @Test(arguments: ["sh", "a) S 1 (", "new\nline", "((", ")", ") Z 9 9 9", ""])
  func readsAnyCommandName(name: String) throws {
    let entry = try #require(Self.parse("4711 (\(name)) S" + Self.tail))
    #expect(entry.identity == ProcessIdentity(processID: 4711, startTicks: 987_654))
    #expect(entry.parent == 1)
    #expect(entry.group == 2)
    #expect(entry.session == 3)
    #expect(!entry.isZombie)
  }

  @Test func refusesEveryTruncation() {
    let text = "12 (x) S" + Self.tail
    let end = text.utf8.count - "987654 18446744073709551615 1".utf8.count
    for length in 0...end {
      #expect(Self.parse(String(decoding: text.utf8.prefix(length), as: UTF8.self)) == nil)
    }
  }

  @Test func refusesNumbersThatOverflow() {
    #expect(Self.parse("12 (x) S 99999999999" + Self.tail) == nil)
    #expect(
      Self.parse("12 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99999999999999999999 1")
        == nil)
  }

  @Test func findsThisProcessAndItsParent() throws {
    let own = try #require(ProcessEntry(processID: getpid()))
    #expect(own.processID == getpid())
    #expect(own.parent == getppid())
    #expect(own.session == getsid(0))
    #expect(ProcessEntry.all().contains { $0.identity == own.identity })
    #expect(own.identity.isAlive)
    #expect(!ProcessIdentity(processID: getpid(), startTicks: 1).isAlive)
  }

  @Test func findsNoProcessOfAnUnusedID() {
    #expect(ProcessEntry(processID: 0) == nil)
    #expect(ProcessEntry(processID: -5) == nil)
    #expect(ProcessIdentity(processID: Int32.max) == nil)
  }
}
