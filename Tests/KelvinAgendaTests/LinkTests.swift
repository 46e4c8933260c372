import KelvinAgenda
import KelvinModel
import Testing

/// `link`: which jobs run while their board's link is away.
@Suite struct LinkTests {
  @Test(arguments: [
    ("workloads: [{name: idle, link: detached}]", DetachedLink()),
    ("workloads: [{name: idle, link: attached}]", nil),
    ("workloads: [idle]", nil),
    (
      "workloads: [{name: idle, link: {state: detached, seconds: 2 min, settle: 500 ms}}]",
      DetachedLink(seconds: 120, settle: 0.5)
    ),
    ("config: {link: detached}\nworkloads: [{name: idle, link: attached}]", nil),
    // The link does not live through it.
    ("workloads: [suspend]", DetachedLink()),
    ("config: {link: attached}\nworkloads: [{name: suspend, link: detached}]", DetachedLink()),
    ("workloads: [{name: suspend, link: {state: detached, settle: 9}}]", DetachedLink(settle: 9))
  ])
  func isReadAndMerged(text: String, expected: DetachedLink?) {
    let reading = Reading(text)
    #expect(reading.lines == [])
    #expect(reading.specs.first?.detached == expected)
  }

  @Test func anInstrumentThatNeedsTheLinkIsRefused() throws {
    let reading = Reading(
      """
      config: {augmentations: [thermal, interrupts]}
      workloads:
        - {name: idle, id: a, link: detached}
        - {name: idle, id: b}
        - {name: idle, id: c, link: detached, augmentations: [~thermal]}
      """)
    let line = try #require(reading.lines.first)
    #expect(reading.lines.count == 1)
    #expect(line.contains("1:26: error: spec 'a' is detached, and 'thermal' reads the board"))
    #expect(line.contains("[~thermal]"))
  }

  @Test(arguments: [
    "workloads: [{name: suspend, link: attached}]",
    "config: {link: attached}\nworkloads: [suspend]"
  ])
  func aLinkThatDoesNotLastIsNotPromised(text: String) throws {
    let line = try #require(Reading(text).lines.first)
    #expect(line.contains("does not live through 'suspend'") && line.contains("link: detached"))
  }

  @Test(arguments: [
    "gone", "{seconds: 5}", "{state: detached, second: 5}", "{state: detached, seconds: -1}"
  ])
  func mistakesAreTold(link: String) {
    #expect(Reading("workloads: [{name: idle, link: \(link)}]").lines.count == 1)
  }
}
