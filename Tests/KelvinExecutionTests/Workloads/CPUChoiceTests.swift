import KelvinModel
import Testing

@testable import KelvinExecution

/// The option cpus, in all forms that Workload Automation has.
@Suite struct CPUChoiceTests {
  @Test(
    arguments: [
      (nil, nil), (.null, nil), (.integer(0), nil), ("0x0", nil),
      (.integer(3), [0, 1]), (.integer(4), [2]), ("0x5", [0, 2]), ("0X10", [4]),
      ("0xffffffffffffffff", Array(0..<64)),
      ("3", [3]), ("0-1,4", [0, 1, 4]), ([0, 3], [0, 3]), (["0-1", 4], [0, 1, 4]), ([5], [5])
    ] as [(Value?, [Int]?)])
  func readsMasksAndLists(value: Value?, cpus: [Int]?) throws {
    #expect(try CPUChoice.cpus(value) == cpus)
  }

  @Test(
    arguments: [
      .integer(-1), "", "x", "0x", "0xg", "3-1", .list([]), [-1], ["x"], [0, nil], 1.5, ["a": 1],
      true, [9000]
    ] as [Value])
  func refusesWhatNamesNoCPUs(value: Value) {
    do {
      _ = try CPUChoice.cpus(value)
      Issue.record("\(value) was accepted")
    } catch {
      #expect(error.kind == .configuration)
      #expect(error.hint.contains("0-3,8"))
    }
  }
}
