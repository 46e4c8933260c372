import KelvinConnections
import KelvinModel
import Synchronization
import Testing

@testable import KelvinExecution

/// What was called, in order; by run, so that tests can run side by side.
private let calls = Mutex<[String: [String]]>([:])

private func note(_ context: SignalContext, _ what: String) {
  calls.withLock { $0[context.run.id, default: []].append(what) }
}

private protocol Marker: Instrument { init() }
extension Marker {
  init(settings: [String: Value]) { self.init() }
}

private struct Slowest: Marker {
  static let declaration = Declaration(.instrument, "slowest", summary: "Test.")
  var hooks: [Hook] {
    very_slow.start { note($0, "slowest start") }
    very_slow.stop { note($0, "slowest stop") }
  }
}

private struct First: Marker {
  static let declaration = Declaration(.instrument, "first", summary: "Test.")
  var hooks: [Hook] {
    normal.start { note($0, "first start") }
    normal.stop { note($0, "first stop") }
  }
}

private struct Second: Marker {
  static let declaration = Declaration(.instrument, "second", summary: "Test.")
  var hooks: [Hook] {
    normal.start { note($0, "second start") }
    normal.stop { note($0, "second stop") }
  }
}

private struct Fastest: Marker {
  static let declaration = Declaration(.instrument, "fastest", summary: "Test.")
  var hooks: [Hook] {
    very_fast.start { note($0, "fastest start") }
    very_fast.stop { note($0, "fastest stop") }
  }
}

/// Attaches one callback and detaches another while their signal is being sent.
private struct Changing: Marker {
  static let declaration = Declaration(.instrument, "changing", summary: "Test.")
  private let token = BoardConfined<Dispatcher.Token?>(nil)
  var hooks: [Hook] {
    normal.initialize { context in
      token.value = context.run.signals.attach(
        slow.stop { note($0, "from the beginning") }, owner: "changing")
    }
    fast.stop { context in
      note(context, "changing")
      if let token = token.exchange(nil) { context.run.signals.detach(token) }
      context.run.signals.attach(very_slow.stop { note($0, "added") }, owner: "changing")
    }
  }
}

@Suite struct SignalOrderTests {
  private func run(
    _ instruments: [any Instrument.Type], iterations: Int = 1
  ) async throws -> (InstrumentBench.Record, [String]) {
    var bench = InstrumentBench(LocalConnection())
    bench.argv = nil
    bench.iterations = iterations
    let id = Mutex("")
    bench.during = { job in
      id.withLock { $0 = job.run.id }
      calls.withLock { $0[job.run.id, default: []].append("window") }
    }
    let record = try await bench.run(instruments)
    let order = calls.withLock { calls in calls[id.withLock { $0 }] ?? [] }
    return (record, order)
  }

  @Test(.timeLimit(.minutes(1))) func theFastestHugTheWindow() async throws {
    let (_, order) = try await run([Fastest.self, First.self, Second.self, Slowest.self])
    #expect(
      order == [
        "slowest start", "first start", "second start", "fastest start", "window", "fastest stop",
        "first stop", "second stop", "slowest stop"
      ])
  }

  @Test(.timeLimit(.minutes(1))) func callbacksComeAndGoWhileASignalIsSent() async throws {
    let (_, order) = try await run([Changing.self], iterations: 2)
    #expect(
      order == [
        "window", "changing", "from the beginning", "window", "changing", "added"
      ])
  }
}
