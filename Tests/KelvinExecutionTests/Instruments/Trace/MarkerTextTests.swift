import KelvinModel
import Testing

@testable import KelvinExecution

/// What tracefs tells of markers: pure text, as Linux 6.18 and 6.1 print it.
@Suite struct MarkerTextTests {
  private static let trace = """
    # tracer: nop
    #
    # entries-in-buffer/entries-written: 5/5   #P:2
    #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
               <...>-15928   [000] ...1. 45665.376127: tracing_mark_write: kelvin-phase: a b
              python-7       [001] ..... 45665.376148: tracing_mark_write: kelvin-phase: end
     1.000000: x: ke-8       [001] ..... 45665.400000: tracing_mark_write: kelvin-clock: 12

       : kelvin-phase-9      [001] d.h2. 45666.000001: 0xffffffff81234567: kelvin-phase:c
                 cat-9       [001] ..... 45667.000000: tracing_mark_write: B|9|kelvin-phase: no
    """

  @Test func findsMarkersAndTheirTimes() {
    let text = MarkerText(Array(Self.trace.utf8))
    #expect(text.phases.map(\.time) == [45_665_376_127_000, 45_665_376_148_000, 45_666_000_001_000])
    #expect(text.phases.map(\.name) == ["a b", nil, "c"])
    #expect(text.clock == [12: 45_665_400_000_000])
  }

  @Test func truncatedItIsLessOfTheSame() {
    let bytes = Array(Self.trace.utf8)
    let whole = MarkerText(bytes).markers
    for end in bytes.indices {
      let cut = MarkerText(Array(bytes[..<end])).markers
      #expect(cut.count <= whole.count)
      #expect(zip(cut, whole).allSatisfy { $0.time == $1.time && $1.text.hasPrefix($0.text) })
    }
  }

  @Test func whateverAByteIsItEnds() {
    let bytes = Array(Self.trace.utf8)
    for place in bytes.indices {
      for byte: UInt8 in [0, 10, 32, 45, 46, 57, 58, 255] {
        var wrong = bytes
        wrong[place] = byte
        #expect(MarkerText(wrong).markers.count <= 6)
      }
    }
    for time in ["1.", ".000001", "1.00000", "1.0000001", "99999999999.000000", "-1.000000"] {
      #expect(MarkerText.time(Substring(time)) == nil, "\(time)")
    }
  }

  private static let stats = """
    entries: 34
    overrun: 0
    commit overrun: 0
    bytes: 80
    oldest event ts:    10.376127
    now ts: 45665.380735
    dropped events: 0
    read events: 0
    entries: 12
    overrun: 5
    commit overrun: 0
    bytes: 80
    oldest event ts:    20.000003
    now ts: 45665.380735
    dropped events: 0
    read events: 0

    """

  @Test func tellsWhatWasOverwritten() {
    let losses = MarkerLosses(Array(Self.stats.utf8))
    #expect(losses.count == 5 && losses.completeSince == 20_000_003_000)
    let none = MarkerLosses(Array(Self.stats.utf8.prefix(150)))
    #expect(none.count == 0 && none.completeSince == .min)
    let dropped = MarkerLosses(Array("overrun: 0\ndropped events: 2\n".utf8))
    #expect(dropped.count == 2 && dropped.completeSince == .max)
    for end in Self.stats.utf8.indices {
      #expect(MarkerLosses(Array(Self.stats.utf8[..<end])).count <= 5)
    }
  }
}
