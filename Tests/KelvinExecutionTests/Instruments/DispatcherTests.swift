import Testing

@testable import KelvinExecution

@Suite struct DispatcherTests {
  /// Attaches a callback for each priority in this order and gives the order of calling, as places.
  private func order(_ signal: Signal, _ priorities: [Priority]) -> [String] {
    let dispatcher = Dispatcher()
    for (place, priority) in priorities.enumerated() {
      dispatcher.attach(Hook(signal, priority: priority) { _ in }, owner: "\(place)")
    }
    return dispatcher.registrations(for: signal).map(\.owner)
  }

  private static let start = Signal.before(.workloadExecution)
  private static let stop = Signal.after(.workloadExecution)

  @Test func fastestIsCalledLastBeforeTheWindow() {
    #expect(order(Self.start, [.veryFast, .normal, .verySlow]) == ["2", "1", "0"])
    #expect(order(Self.start, [.verySlow, .normal, .veryFast]) == ["0", "1", "2"])
  }

  @Test func fastestIsCalledFirstAfterTheWindow() {
    #expect(order(Self.stop, [.verySlow, .normal, .veryFast]) == ["2", "1", "0"])
    #expect(order(Self.stop, [.veryFast, .normal, .verySlow]) == ["0", "1", "2"])
  }

  @Test(arguments: [Self.start, Self.stop])
  func equalPrioritiesKeepTheOrderOfListing(signal: Signal) {
    #expect(order(signal, [.normal, .normal, .normal]) == ["0", "1", "2"])
    let inverted = signal == Self.start
    #expect(
      order(signal, [.fast, .slow, .fast, .slow])
        == (inverted ? ["1", "3", "0", "2"] : ["0", "2", "1", "3"]))
  }

  @Test(arguments: Signal.all)
  func onlyWhatComesBeforeSomethingIsInverted(signal: Signal) {
    let isInverted = order(signal, [.fast, .slow]) == ["1", "0"]
    let isBefore = if case .before = signal { true } else { false }
    let isWA2Start = ["workload-spec-start", "iteration-start"].contains(signal.name)
    #expect(isInverted == (isBefore || isWA2Start))
  }

  @Test func signalsDoNotMix() {
    let dispatcher = Dispatcher()
    for signal in Signal.all { dispatcher.attach(Hook(signal) { _ in }, owner: signal.name) }
    for signal in Signal.all {
      #expect(dispatcher.registrations(for: signal).map(\.owner) == [signal.name])
    }
    #expect(Set(Signal.all.map(\.name)).count == Signal.all.count)
  }

  @Test func aSignalThatIsBeingSentKeepsItsList() {
    let dispatcher = Dispatcher()
    let first = dispatcher.attach(Hook(Self.stop) { _ in }, owner: "first")
    let sending = dispatcher.registrations(for: Self.stop)
    dispatcher.attach(Hook(Self.stop, priority: .fast) { _ in }, owner: "second")
    dispatcher.detach(first)
    #expect(sending.map(\.owner) == ["first"])
    #expect(dispatcher.registrations(for: Self.stop).map(\.owner) == ["second"])
    dispatcher.detach(first)
    #expect(dispatcher.registrations(for: Self.stop).map(\.owner) == ["second"])
  }

  @Test func takesCallbacksFromAnyThread() async {
    let dispatcher = Dispatcher()
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<8 {
        group.addTask {
          for _ in 0..<200 {
            let token = dispatcher.attach(Hook(Self.start) { _ in }, owner: "\(task)")
            _ = dispatcher.registrations(for: Self.start)
            dispatcher.detach(token)
          }
          dispatcher.attach(Hook(Self.start) { _ in }, owner: "\(task)")
        }
      }
    }
    #expect(
      dispatcher.registrations(for: Self.start).map(\.owner).sorted()
        == (0..<8).map { "\($0)" })
  }
}
