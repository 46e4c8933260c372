import Foundation
import KelvinModel
import Testing

/// Phases that a workload writes to the kernel of a real board, whose clock is its own.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(10)))
struct MarkerPhaseTests {
  let traced: TracedBoard

  init() throws { traced = try TracedBoard(profile: "virtual-x86") }

  private struct Interval {
    var from: Double
    var to: Double
    /// Standard uncertainty of an end, in nanoseconds.
    var ends: Double
  }

  /// By phase, of the first attempt.
  private func phases(_ path: String) throws -> [String: Interval] {
    let file = try #require(
      FileManager.default.enumerator(atPath: path)?.lazy.compactMap { $0 as? String }
        .first { $0.hasSuffix("energy.json") })
    let text = try String(contentsOfFile: path + "/" + file, encoding: .utf8)
    let json = try #require(Value(json: text)?.map)
    let intervals = try #require(json["intervals"]?.list).compactMap(\.map)
    var found: [String: Interval] = [:]
    for phase in json["phases"]?.list?.compactMap(\.map) ?? [] {
      let name = try #require(phase["name"]?.text)
      let index = try #require(phase["intervals"]?.list?.first?.integer)
      let interval = intervals[Int(index)]
      found[name] = Interval(
        from: try #require(interval["from"]?.number), to: try #require(interval["to"]?.number),
        ends: try #require(interval["ends"]?.number))
    }
    return found
  }

  @Test(arguments: TracedBoard.Way.allCases)
  func markersOfTheBoardAreTimesOfTheHost(way: TracedBoard.Way) throws {
    let board = traced.board
    let clock = try board.run("cat /sys/kernel/tracing/trace_clock")
    let script =
      "m() { echo kelvin-phase: marker $1 >$2; echo kelvin-phase: line $1; sleep 1; }; "
      + "m 1 $KELVIN_TRACE_MARKER; m 2 /sys/kernel/tracing/trace_marker; echo kelvin-phase: end"
    let agenda = """
      config:
        max_retries: 0
        augmentations: [energy]
        energy: {meters: hwmon/power_meter, phases: {trace_marker: true}}
      workloads:
        - name: command
          params: {argv: [sh, -c, '\(script)']}
      """
    let name = "markers-" + way.rawValue
    let run = try traced.run(agenda, name, way)
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    let found = try phases("\(traced.folder)/\(name)")
    #expect(try traced.leftovers() == "0")
    #expect(try board.run("cat /sys/kernel/tracing/trace_clock") == clock)
    #expect(try board.run("cat /sys/kernel/tracing/tracing_on") == "1")
    if way == .console {
      // What is printed there tells nothing of when.
      #expect(Set(found.keys) == ["marker 1", "marker 2"], "\(found)")
      let first = try #require(found["marker 1"])
      #expect(first.to - first.from > 0.9e9)
      return
    }
    #expect(Set(found.keys) == ["marker 1", "line 1", "marker 2", "line 2"], "\(found)")
    for index in 1...2 {
      let marker = try #require(found["marker \(index)"])
      let line = try #require(found["line \(index)"])
      // A line is written after its marker, and seen later; where the marker lies is known to three of its
      // standard uncertainties at most.
      #expect(line.from - marker.from > -3 * marker.ends, "\(found)")
      print(
        "line after marker \(index): \((line.from - marker.from) / 1e6) ms, ± \(marker.ends / 1e6)")
    }
  }
}
