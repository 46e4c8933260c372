import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct TraceEventTests {
  private let known = TraceEvent.all(
    Array(
      """
      sched:sched_switch
      sched:sched_wakeup
      irq:irq_handler_entry
      irq:softirq_entry
      irq_vectors:local_timer_entry
      power:cpu_frequency
      power:cpu_idle
      timer:hrtimer_start
      ../x:y
      a/b:c
      nothing
      :
      sched:sched_switch

      """.utf8))

  @Test func readsWhatAKernelHas() throws {
    #expect(known.count == 8)
    #expect(known.first?.description == "irq:irq_handler_entry")
    withDamage("sched:sched_switch\nirq:irq_handler_entry\n") { text in
      for event in TraceEvent.all(text.bytes) {
        #expect(!event.directory.hasPrefix("/") && !event.directory.contains(".."))
      }
    }
  }

  @Test(arguments: [
    ("sched_switch", ["sched:sched_switch"]),
    ("sched", ["sched:sched_switch", "sched:sched_wakeup"]),
    ("sched*", ["sched:sched_switch", "sched:sched_wakeup"]),
    ("irq*", ["irq:irq_handler_entry", "irq:softirq_entry", "irq_vectors:local_timer_entry"]),
    ("power:cpu_*", ["power:cpu_frequency", "power:cpu_idle"]),
    ("power/cpu_idle", ["power:cpu_idle"]),
    ("*:*_entry*", ["irq:irq_handler_entry", "irq:softirq_entry", "irq_vectors:local_timer_entry"]),
    ("cpu_[fx]*", ["power:cpu_frequency"]), ("thermal*", []), ("SCHED", []), ("sched:", [])
  ])
  func picksByNameOrSystem(pattern: String, expected: [String]) {
    let (events, missing) = TraceEvent.pick([pattern], from: known)
    #expect(events.map(\.description) == expected)
    #expect(missing == (expected.isEmpty ? [pattern] : []))
  }

  @Test(arguments: [
    ("sched_swich", "did you mean sched_switch?"), ("powr*", "did you mean power?"),
    ("sched:sched_swtch", "did you mean sched:sched_switch?"),
    ("frobnicate", "available_events in the target's tracefs lists what it has")
  ])
  func namesWhatWasProbablyMeant(pattern: String, hint: String) {
    let failure = TraceEvent.unknown("events", [pattern], among: known)
    #expect(failure.message == "events: this kernel has no event \(pattern)")
    #expect(failure.hint == hint)
    #expect(failure.kind == .configuration)
  }

  @Test(
    arguments: [
      ("no_install", false, "nothing is installed"), ("report", true, "trace-cmd report"),
      ("report_on_target", true, "trace-cmd report"),
      ("mode", "write-to-disk", "make buffer_size large"),
      ("buffer_size_step", 1000, "buffer_size says")
    ] as [(String, Value, String)])
  func refusesWhatMeansNothingHere(option: String, value: Value, hint: String) throws {
    let failure = #expect(throws: PlainFailure.self) { try Ftrace(settings: [option: value]) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.hint.contains(hint) == true, "\(failure?.hint ?? "")")
  }

  @Test func takesAgendasThatAskForWhatHappensAnyway() throws {
    _ = try Ftrace(settings: [
      "no_install": true, "report": false, "report_on_target": false, "mode": "write-to-memory"
    ])
  }
}
