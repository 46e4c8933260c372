import KelvinModel
import Testing

/// Verdicts as text.
@Suite struct VerdictTests {
  static let all: [Verdict] =
    [.ok, .partial, .aborted, .skipped] + FailureKind.allCases.map(Verdict.failed)

  @Test(arguments: all)
  func readsBackItsOwnText(verdict: Verdict) {
    #expect(Verdict(text: verdict.text) == verdict)
  }

  @Test(arguments: ["", "OK", "failed", "failed: ", "failed: gremlins", "ok "])
  func refusesOtherText(text: String) {
    #expect(Verdict(text: text) == nil)
  }
}
