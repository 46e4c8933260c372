import Glibc
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

private let tracing = "/sys/kernel/tracing"

/// Phases that a workload writes to this machine's own kernel.
@Suite(
  .serialized, .timeLimit(.minutes(2)),
  .enabled(
    if: access(tracing + "/instances", W_OK | R_OK) == 0,
    "needs root and tracefs: \(tracing)/instances cannot be written"))
struct MarkerPhaseTests: EnergySuite {
  private func bench(_ way: Way, _ script: String) -> InstrumentBench {
    bench(
      [WaveformDriver(sites: [("vdd", steady(2))])], ["phases": ["trace_marker": true]],
      argv: ["sh", "-c", script], on: way.connection)
  }

  /// The same edge by its line of output, and by its marker right before.
  @Test(arguments: Way.allCases)
  func markersAreMoreExactThanLines(way: Way) async throws {
    let script = """
      m() { echo "kelvin-phase: by marker $1" >$2; echo "kelvin-phase: by line"; sleep 0.1; }
      m 1 $KELVIN_TRACE_MARKER; m 2 \(tracing)/trace_marker; echo kelvin-phase: end >$KELVIN_TRACE_MARKER
      echo kelvin-phase: end
      """
    let record = try await bench(way, script).run([EnergyMeasurement.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome) \(record.log)")
    #expect(try TracingInstances.ownNames().isEmpty)
    let reader = try RunReader(directory: record.directory.path + "/run")
    let marks = try reader.events(ofCapture: try #require(job.captures.first).id)
      .filter { $0.kind == .mark }
    #expect(
      marks.map(\.note) == [
        "by marker 1", "by line", "by marker 2", "by line", "end", "end"
      ], "\(marks)")
    guard marks.count == 6 else { return }
    // The line is written some microseconds later, and seen within what is said of lines.
    for index in [0, 2, 4] {
      let late = marks[index + 1].from - marks[index].from
      #expect(late > 0, "\(late) ns")
    }
    for phase in ["by marker 1", "by marker 2"] {
      #expect(try job.value("phase_time", ["phase": phase]) < 0.1)
    }
    let file = try record.content(try #require(job.artifacts.first { $0.name == "energy.json" }))
    let json = try #require(Value(json: String(decoding: file, as: UTF8.self))?.map)
    #expect(json["phases"]?.list?.count == 3)
  }

  /// Markers alone: phases are known to microseconds.
  @Test func phasesByMarkersAreKnownToMicroseconds() async throws {
    var bench = bench(
      .direct,
      "echo kelvin-phase: a >$KELVIN_TRACE_MARKER; sleep 0.2; echo kelvin-phase: b >$KELVIN_TRACE_MARKER; sleep 0.1; echo kelvin-phase: end >$KELVIN_TRACE_MARKER; true"
    )
    bench.settings = ["energy": ["phases": ["trace_marker": true, "output": false]]]
    bench.iterations = 2
    let record = try await bench.run([EnergyMeasurement.self])
    #expect(record.jobs.count == 2)
    for job in record.jobs {
      #expect(job.outcome == .ok, "\(job.outcome) \(record.log)")
      let energy = try #require(
        job.metrics.first { $0.name == "phase_energy" && $0.classifiers["phase"] == "a" })
      let time = try job.value("phase_time", ["phase": "a"])
      #expect(time >= 0.2 && time < 0.4)
      #expect(abs((energy.value.double ?? 0) - 2 * time) < 1e-5)
      // √2 · 2 W · some 2 us besides the meter's own 0.1 % and 1 mW, which are limits.
      let own = (2e-3 * 2e-3 + 1e-3 * 1e-3).squareRoot() * time / 3.0.squareRoot()
      #expect((energy.uncertainty ?? 1) < own * 1.1 + 1e-5, "\(energy) \(own)")
    }
  }

  @Test func markersThatWereOverwrittenMakeTheJobPartial() async throws {
    let script = """
      echo kelvin-phase: first >$KELVIN_TRACE_MARKER
      python3 -c "
      f = open('$KELVIN_TRACE_MARKER', 'w')
      for n in range(60000):
        f.write('filling ' + 'x' * 200); f.flush()
      f.write('kelvin-phase: last'); f.flush()"
      sleep 0.1
      """
    let record = try await bench(.direct, script).run([EnergyMeasurement.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome.verdict == .partial, "\(job.outcome)")
    #expect(job.outcome.reason.contains("markers were overwritten"), "\(job.outcome)")
    #expect(!job.metrics.contains { $0.classifiers["phase"] == "first" })
    #expect(try job.value("energy") > 0)
    #expect(try TracingInstances.ownNames().isEmpty)
  }
}
