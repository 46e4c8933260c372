import KelvinModel
import Testing

struct QuarantineRuleTests {
  static let bad = Verdict.failed(.target)

  @Test(arguments: [
    (failures: 0, isBroken: false), (failures: 4, isBroken: false), (failures: 5, isBroken: true),
    (failures: 10, isBroken: true)
  ])
  func fiveOfTenBreakTheStandardRule(failures: Int, isBroken: Bool) {
    let verdicts =
      [Verdict](repeating: Self.bad, count: failures)
      + [Verdict](repeating: .ok, count: 10 - failures)
    #expect(QuarantineRule.standard.isBroken(by: verdicts) == isBroken)
    #expect(QuarantineRule.standard.isBroken(by: verdicts.reversed()) == isBroken)
  }

  @Test func aBoardNeedNotFailTenTimesToFailFive() {
    #expect(QuarantineRule.standard.isBroken(by: [Verdict](repeating: Self.bad, count: 5)))
    #expect(!QuarantineRule.standard.isBroken(by: [Verdict](repeating: Self.bad, count: 4)))
    #expect(!QuarantineRule.standard.isBroken(by: []))
  }

  @Test func whatIsLongAgoDoesNotCount() {
    let verdicts =
      [Verdict](repeating: Self.bad, count: 50) + [Verdict](repeating: .ok, count: 6)
      + [Self.bad]
    #expect(QuarantineRule.standard.troubles(in: verdicts) == 4)
    #expect(!QuarantineRule.standard.isBroken(by: verdicts))
  }

  @Test(arguments: [
    (verdict: Verdict.ok, counts: false), (.partial, false), (.failed(.workload), false),
    (.failed(.timeout), false), (.failed(.configuration), false), (.failed(.internal), false),
    (.failed(.target), true), (.failed(.infrastructure), true), (.aborted, false),
    (.skipped, false)
  ])
  func onlyTheBoardAndWhatIsAroundItCount(verdict: Verdict, counts: Bool) {
    #expect(verdict.isBoardTrouble == counts)
    #expect(QuarantineRule(failures: 1, of: 1).isBroken(by: [verdict]) == counts)
  }

  /// Ctrl-C and a resume must not make room for older successes, nor push failures out.
  @Test func whatWasStoppedIsAsIfItHadNotBeen() {
    let rule = QuarantineRule(failures: 2, of: 2)
    #expect(rule.isBroken(by: [Self.bad, .aborted, .aborted, Self.bad, .skipped]))
    #expect(!rule.isBroken(by: [Self.bad, .ok, .aborted]))
  }

  @Test func aRuleThatCannotBeIsTheNearestThatCan() {
    #expect(QuarantineRule(failures: 0, of: 0) == QuarantineRule(failures: 1, of: 1))
    #expect(QuarantineRule(failures: 8, of: 3) == QuarantineRule(failures: 8, of: 8))
    #expect("\(QuarantineRule.standard)" == "5 of 10")
  }
}
