import Testing

@testable import KelvinExecution

private let recorded = """
  600000 1200
  1200000 300
  1800000 500

  """

@Suite struct FrequencyResidencyTests {
  @Test func weighsFrequenciesByTime() throws {
    let before = FrequencyResidency(KernelText(recorded))
    let after = FrequencyResidency(ticks: [600_000: 1275, 1_200_000: 300, 1_800_000: 525])
    let window = try #require(before.window(to: after))
    #expect(window.shares == [600_000: 75, 1_800_000: 25])
    #expect(window.meanHertz == 900e6)
  }

  @Test func countsAFrequencyThatAppeared() throws {
    let before = FrequencyResidency(ticks: [600_000: 10])
    let window = try #require(
      before.window(to: FrequencyResidency(ticks: [600_000: 10, 2_000_000: 5])))
    #expect(window.shares == [2_000_000: 100])
  }

  @Test func givesNothingWithoutATickOrAfterAReset() {
    let table = FrequencyResidency(KernelText(recorded))
    #expect(table.window(to: table) == nil)
    #expect(table.window(to: FrequencyResidency(ticks: [600_000: 1])) == nil)
  }

  @Test(arguments: [
    (UInt64(1_800_000), "1800 MHz"), (2_593_906, "2593.906 MHz"), (0, "0 MHz")
  ])
  func namesFrequencies(kilohertz: UInt64, text: String) {
    #expect(FrequencyResidency.text(kilohertz: kilohertz) == text)
  }

  @Test func survivesDamage() {
    let zero = FrequencyResidency(ticks: [:])
    withDamage(recorded) { text in
      guard let window = zero.window(to: FrequencyResidency(text)) else { return }
      let sum = window.shares.values.reduce(0, +)
      #expect(sum > 99.9 && sum < 100.1)
      #expect(window.meanHertz.isFinite)
    }
  }
}
