import Glibc
import Testing

@testable import KelvinConnections

struct ProcessTableTests {
  static let tail = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 18446744073709551615 1"

  static func parse(_ text: String) -> ProcessEntry? {
    Array(text.utf8).withUnsafeBytes { ProcessEntry(stat: $0) }
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
    let line = Array(("12 (x) S" + Self.tail).utf8)
    let end = line.count - " 987654 18446744073709551615 1".utf8.count
    for length in 0...end {
      #expect(line[..<length].withUnsafeBytes { ProcessEntry(stat: $0) } == nil)
    }
  }

  @Test func refusesNumbersThatOverflow() {
    #expect(Self.parse("99999999999 (x) S" + Self.tail) == nil)
    #expect(Self.parse("12 (x) S 99999999999999999999999" + Self.tail) == nil)
  }

  @Test func findsThisProcessAndItsParent() throws {
    let own = try #require(ProcessTable.entry(of: getpid()))
    #expect(own.processID == getpid())
    #expect(own.parent == getppid())
    #expect(own.session == getsid(0))
    #expect(ProcessTable.entries().contains { $0.identity == own.identity })
    #expect(own.identity.isRunning)
    #expect(!ProcessIdentity(processID: getpid(), startTicks: 1).isRunning)
  }

  @Test func findsNoProcessOfAnUnusedID() {
    #expect(ProcessTable.entry(of: 0) == nil)
    #expect(ProcessTable.entry(of: -5) == nil)
    #expect(ProcessIdentity(processID: Int32.max) == nil)
  }

  @Test func matchesWholeEnvironmentVariablesOnly() {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    #expect(ProcessTable.environment(of: getpid(), contains: "PATH=" + path))
    #expect(!ProcessTable.environment(of: getpid(), contains: "PATH=" + path + "x"))
    #expect(!ProcessTable.environment(of: getpid(), contains: "ATH=" + path))
    #expect(ProcessTable.environment(of: getpid(), hasVariable: "PATH"))
    #expect(!ProcessTable.environment(of: getpid(), hasVariable: "PAT"))
  }
}
