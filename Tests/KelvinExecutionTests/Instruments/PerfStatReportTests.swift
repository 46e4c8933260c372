import KelvinModel
import Testing

@testable import KelvinExecution

/// Recorded with perf 6.1 on a virtual machine without hardware counters; the last two lines as
/// documented in perf-stat(1) for a machine that has some.
private let recorded = """
  # started on Wed Nov 25 19:17:04 2026

  0.74;msec;task-clock;737931;100.00;0.007;CPUs utilized
  2;;context-switches;737931;100.00;2.710;K/sec
  76;;page-faults:u;737931;100.00;102.991;K/sec
  <not supported>;;cycles;0;100.00;;
  <not counted>;;cache-misses;0;0.00;;
  1234567890;;instructions;737931;66.67;1.02;insn per cycle

  """
private let events = [
  "task-clock", "context-switches", "page-faults", "{cycles,instructions}", "cache-misses"
]

@Suite struct PerfStatReportTests {
  @Test func readsCountsUnitsAndShares() {
    let counts = PerfStatReport(KernelText(recorded), events: events).counts
    #expect(
      counts.map(\.event) == [
        "task-clock", "context-switches", "page-faults:u", "cycles", "cache-misses",
        "instructions"
      ])
    #expect(counts[0].outcome == .counted(.number(0.74)))
    #expect(counts[0].unit == "msec")
    #expect(counts[1].outcome == .counted(.integer(2)))
    #expect(counts[3].outcome == .notSupported)
    #expect(counts[4].outcome == .notCounted)
    #expect(counts[5].share == 66.67)
    #expect(counts.allSatisfy { $0.scope.isEmpty })
  }

  @Test func readsADecimalComma() {
    let counts = PerfStatReport(
      KernelText("0,74;msec;task-clock;737931;100,00;0,007;CPUs utilized\n"), events: events
    ).counts
    #expect(counts.map(\.outcome) == [.counted(.number(0.74))])
    #expect(counts.first?.share == 100)
  }

  @Test func keepsCommasOfEventNames() {
    let counts = PerfStatReport(
      KernelText("5;;cpu/event=0x3c,umask=0x0/;1;50.00;;\n"), events: []
    ).counts
    #expect(counts.map(\.event) == ["cpu/event=0x3c,umask=0x0/"])
  }

  @Test(arguments: [
    ("CPU0;51.36;msec;task-clock;51361848;100.00;1.0;CPUs utilized", "CPU0", 51.36),
    ("S0;4;10;;context-switches;1;100.00;;", "S0 4", 10),
    ("0.100;7;;page-faults;1;100.00;;", "0.100", 7)
  ])
  func findsTheValueBehindOtherColumns(line: String, scope: String, value: Double) {
    let counts = PerfStatReport(KernelText(line), events: events).counts
    #expect(counts.map(\.scope) == [scope])
    guard case .counted(let counted) = counts.first?.outcome else {
      Issue.record("not counted")
      return
    }
    #expect(counted.double == value)
  }

  @Test func skipsTheSpreadOfSeveralRuns() {
    let counts = PerfStatReport(
      KernelText("10;;page-faults;0.35%;737931;87.50;;\n"), events: events
    ).counts
    #expect(counts.first?.share == 87.5)
  }

  @Test func judgesGroupsByTheirEvents() {
    let report = PerfStatReport(KernelText(recorded), events: events)
    let findings = PerfProbe.judge(events, report)
    #expect(
      findings.supported == ["task-clock", "context-switches", "page-faults", "cache-misses"])
    #expect(findings.unsupported == ["{cycles,instructions}"])
  }

  @Test(arguments: [
    ("sh: Killed", "sh", true), ("sh: Segmentation fault", "sh", true),
    ("/usr/bin/x: Terminated", "/usr/bin/x", true), ("sh: 1: Killed", "sh", false),
    ("Killed", "sh", false), ("sh: ", "sh", false), ("sh: all well", "sh", false),
    ("shell: Killed", "sh", false)
  ])
  func knowsPerfsLineAboutASignal(line: String, program: String, isOne: Bool) {
    #expect(PerfStat.isSignalLine(line, program: program) == isOne)
  }

  @Test func survivesDamage() {
    withDamage(recorded) { text in
      for count in PerfStatReport(text, events: events).counts {
        if case .counted(let value) = count.outcome { #expect(value.double?.isFinite == true) }
      }
    }
  }
}
