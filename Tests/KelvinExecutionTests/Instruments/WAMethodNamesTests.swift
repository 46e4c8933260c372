import KelvinModel
import Testing

@testable import KelvinExecution

/// An instrument with nothing but the names that all instruments have.
private struct Bare: Instrument {
  static let declaration = Declaration(.instrument, "bare", summary: "Nothing.")
  init(settings: [String: Value]) {}
  init() {}
  var hooks: [Hook] { [] }
}

@Suite struct WAMethodNamesTests {
  typealias Method = @Sendable (WAHooks) -> Hook

  /// wa 3.3.1 framework/instrument.py SIGNAL_MAP (facts/peers-wa.md 1.2).
  static let wa3: [(String, Method)] = [
    ("run-initialized", { $0.initialize { _ in } }),
    ("run-finalized", { $0.finalize { _ in } }),
    ("before-workload-setup", { $0.setup { _ in } }),
    ("before-workload-execution", { $0.start { _ in } }),
    ("after-workload-execution", { $0.stop { _ in } }),
    ("successful-workload-output-update", { $0.process_workload_output { _ in } }),
    ("after-workload-output-update", { $0.update_output { _ in } }),
    ("after-workload-teardown", { $0.teardown { _ in } }),
    ("run-started", { $0.on_run_start { _ in } }),
    ("run-completed", { $0.on_run_end { _ in } }),
    ("job-started", { $0.on_job_start { _ in } }),
    ("job-restarted", { $0.on_job_restart { _ in } }),
    ("job-completed", { $0.on_job_end { _ in } }),
    ("job-failed", { $0.on_job_failure { _ in } }),
    ("job-aborted", { $0.on_job_abort { _ in } }),
    ("before-job-queue-execution", { $0.before_job_queue_execution { _ in } }),
    ("successful-job-queue-execution", { $0.on_successful_job_queue_execution { _ in } }),
    ("after-job-queue-execution", { $0.after_job_queue_execution { _ in } }),
    ("before-job", { $0.before_job { _ in } }),
    ("successful-job", { $0.on_successful_job { _ in } }),
    ("after-job", { $0.after_job { _ in } }),
    ("before-job-output-processed", { $0.before_processing_job_output { _ in } }),
    ("successful-job-output-processed", { $0.on_successfully_processing_job { _ in } }),
    ("after-job-output-processed", { $0.after_processing_job_output { _ in } }),
    ("before-reboot", { $0.before_reboot { _ in } }),
    ("successful-reboot", { $0.on_successful_reboot { _ in } }),
    ("after-reboot", { $0.after_reboot { _ in } }),
    ("error-logged", { $0.on_error { _ in } }),
    ("warning-logged", { $0.on_warning { _ in } })
  ]

  /// wlauto 2.7.0 core/instrumentation.py (facts/peers-wa.md 1.1), under this project's names of
  /// the signals; where WA3 gives a name another meaning, WA3's stands above.
  static let wa2: [(String, Method)] = [
    ("run-initialized", { $0.on_run_init { _ in } }),
    ("successful-workload-setup", { $0.on_successful_workload_setup { _ in } }),
    ("before-workload-execution", { $0.before_workload_execution { _ in } }),
    ("after-workload-execution", { $0.after_workload_execution { _ in } }),
    ("successful-workload-output-update", { $0.process_workload_result { _ in } }),
    (
      "successful-workload-output-update",
      { $0.on_successful_workload_result_update { _ in } }
    ),
    ("after-workload-output-update", { $0.update_result { _ in } }),
    ("after-workload-output-update", { $0.after_workload_result_update { _ in } }),
    ("before-workload-output-update", { $0.before_workload_result_update { _ in } }),
    ("after-workload-teardown", { $0.after_workload_teardown { _ in } }),
    ("workload-spec-start", { $0.on_workload_spec_start { _ in } }),
    ("workload-spec-end", { $0.on_workload_spec_end { _ in } }),
    ("iteration-start", { $0.on_iteration_start { _ in } }),
    ("iteration-end", { $0.on_iteration_end { _ in } }),
    ("spec-init", { $0.on_spec_init { _ in } }),
    ("iteration-init", { $0.on_iteration_init { _ in } }),
    ("before-initial-boot", { $0.before_initial_boot { _ in } }),
    ("successful-initial-boot", { $0.on_successful_initial_boot { _ in } }),
    ("after-initial-boot", { $0.after_initial_boot { _ in } }),
    ("before-first-iteration-boot", { $0.before_first_iteration_boot { _ in } }),
    ("successful-first-iteration-boot", { $0.on_successful_first_iteration_boot { _ in } }),
    ("after-first-iteration-boot", { $0.after_first_iteration_boot { _ in } }),
    ("before-boot", { $0.before_boot { _ in } }),
    ("successful-boot", { $0.on_successful_boot { _ in } }),
    ("after-boot", { $0.after_boot { _ in } }),
    ("before-workload-setup", { $0.before_workload_setup { _ in } }),
    ("after-workload-setup", { $0.after_workload_setup { _ in } }),
    ("successful-workload-execution", { $0.on_successful_workload_execution { _ in } }),
    ("before-workload-teardown", { $0.before_workload_teardown { _ in } }),
    ("successful-workload-teardown", { $0.on_successful_workload_teardown { _ in } }),
    ("before-run-output-processed", { $0.before_overall_results_processing { _ in } }),
    (
      "successful-run-output-processed",
      { $0.on_successful_overall_results_processing { _ in } }
    ),
    ("after-run-output-processed", { $0.after_overall_results_processing { _ in } })
  ]

  @Test(arguments: (wa3 + wa2).indices)
  func nameMeansItsSignal(index: Int) {
    let (signal, method) = (WAMethodNamesTests.wa3 + WAMethodNamesTests.wa2)[index]
    #expect(method(Bare().normal).signal.name == signal)
  }

  @Test func prefixMeansItsPriority() {
    let prefixes: [(WAHooks, Int)] = [
      (Bare().extremely_slow, -30), (Bare().very_slow, -20), (Bare().slow, -10),
      (Bare().normal, 0), (Bare().fast, 10), (Bare().very_fast, 20), (Bare().extremely_fast, 30)
    ]
    for (hooks, priority) in prefixes {
      #expect(hooks.start { _ in }.priority.rawValue == priority)
    }
  }

  @Test func isCalledOnTheHostOnlyWhenMarked() {
    let hook = Bare().fast.stop { _ in }
    #expect(!hook.isHostSide)
    #expect(hook.hostSide.isHostSide)
    #expect(hook.hostSide.priority == .fast)
    #expect(hook.hostSide.signal == hook.signal)
  }
}
