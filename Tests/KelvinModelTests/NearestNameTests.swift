import KelvinModel
import Testing

@Suite struct NearestNameTests {
  private static let names = ["cpufreq", "csv", "execution_time", "file_poller", "status"]

  @Test(arguments: [
    ("cpufrq", "cpufreq"), ("cpufreqq", "cpufreq"), ("cpufrqe", "cpufreq"), ("cvs", "csv"),
    ("CSV", "csv"), ("execution-time", "execution_time"), ("exectuion_tme", "execution_time"),
    ("sttaus", "status")
  ])
  func misspeltNamesAreFound(name: String, expected: String) {
    #expect(NearestName.of(name, in: NearestNameTests.names) == expected)
  }

  @Test(arguments: ["", "x", "interrupts", "poller", String(repeating: "csv", count: 30)])
  func distantNamesAreNot(name: String) {
    #expect(NearestName.of(name, in: NearestNameTests.names) == nil)
  }

  @Test func tiesGoToTheFirst() {
    #expect(NearestName.of("cat", in: ["car", "bat"]) == "car")
    #expect(NearestName.of("cat", in: ["bat", "car"]) == "bat")
  }

  @Test func theHintIsANameOrAShortList() {
    #expect(NearestName.hint(for: "cvs", in: ["csv"]) == "did you mean 'csv'?")
    #expect(NearestName.hint(for: "zzz", in: ["a", "b"]) == "known: a, b")
    #expect(NearestName.hint(for: "zzz", in: [String]()) == "")
    #expect(NearestName.hint(for: "zzz", in: (0..<13).map { "name\($0)" }) == "")
  }
}
