import KelvinModel
import Testing

/// The kernel's CPU lists.
@Suite struct CPUListTests {
  @Test(arguments: [
    ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,4,6-7\n", [0, 1, 4, 6, 7]), ("", []),
    ("3,1,1-2", [1, 2, 3]), (" 0 - 1 , 5 ", [0, 1, 5]), ("8191", [8191])
  ])
  func readsWhatTheKernelWrites(text: String, cpus: [Int]) {
    #expect(CPUList.parse(text) == cpus)
  }

  @Test(arguments: [
    "a", "1-", "-1", "3-1", "0-8192", "1--2", "0-1-2", "0x3", "9223372036854775808", "0-3:2/4",
    "0\u{0}", "1 2-"
  ])
  func refusesWhatIsNoList(text: String) {
    #expect(CPUList.parse(text) == nil)
  }

  @Test(arguments: [
    ([], ""), ([0], "0"), ([1, 0], "0-1"), ([0, 1, 2, 4, 4, 6, 7], "0-2,4,6-7")
  ])
  func writesTheShortestList(cpus: [Int], text: String) {
    #expect(CPUList.text(cpus) == text)
    #expect(CPUList.parse(text) == Set(cpus).sorted())
  }
}
