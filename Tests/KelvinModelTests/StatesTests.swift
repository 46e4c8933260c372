import KelvinModel
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The state machines, against their documentation and against what must never happen.
@Suite struct StatesTests {
  @Test func documentationShowsTheTransitionsOfTheCode() throws {
    // Tests/KelvinModelTests/StatesTests.swift → the top of the tree.
    let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try #require(fopen("/\(top)/docs/architecture.md", "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 200_000)
    let count = fread(&bytes, 1, bytes.count, file)
    let text = String(decoding: bytes[..<count], as: UTF8.self)
    for table in [
      RunState.transitionTable(), UnitState.transitionTable(), AttemptState.transitionTable(),
      BoardState.transitionTable()
    ] {
      #expect(text.contains(table), "docs/architecture.md lacks this table:\n\(table)")
    }
  }

  @Test func teardownIsReachedFromEveryStageThatBegan() {
    for state in [AttemptState.setup, .running, .extracting] {
      #expect(state.next(.beginTeardown) == .teardown)
      #expect(state.next(.end) == nil)
    }
    #expect(AttemptState.starting.next(.beginTeardown) == nil)
  }

  @Test func nothingFollowsAnEndedAttemptOrUnit() {
    for event in AttemptState.Event.allCases { #expect(AttemptState.ended.next(event) == nil) }
    for event in UnitState.Event.allCases { #expect(UnitState.ended.next(event) == nil) }
  }

  @Test func illegalTransitionsAreNamed() {
    var state = AttemptState.starting
    #expect {
      try state.take(.beginRun)
    } throws: { error in
      "\(error)" == "attempt in state 'starting' got 'begin run', which it cannot take"
    }
    #expect(state == .starting)
  }
}
