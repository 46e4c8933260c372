// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// The method names of Workload Automation's instruments, as a typed builder: where WA finds
/// `def very_fast_start(self, context)` by its name, an instrument here writes
/// `very_fast.start { context in ... }`; a misspelt name does not compile.
///
/// Both generations' names are here (facts: wlauto 2.7.0 core/instrumentation.py, wa 3.3.1
/// framework/instrument.py). Where they differ (`setup`), WA3's meaning wins; WA's misspelt
/// `on_successful_job_queue_exection` is spelt right. They are spelt with underscores on purpose.
public struct WAHooks: Sendable {
  let priority: Priority

  private func hook(_ signal: Signal, _ body: @escaping Hook.Body) -> Hook {
    Hook(signal, priority: priority, body)
  }

  public func initialize(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.runInitialized), body)
  }
  public func on_run_init(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.runInitialized), body)
  }
  public func finalize(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.runFinalized), body)
  }
  public func setup(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.workloadSetup), body)
  }
  public func start(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.workloadExecution), body)
  }
  public func stop(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadExecution), body)
  }
  public func process_workload_output(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.workloadOutputUpdate), body)
  }
  public func process_workload_result(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.workloadOutputUpdate), body)
  }
  public func update_output(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadOutputUpdate), body)
  }
  public func update_result(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadOutputUpdate), body)
  }
  public func teardown(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadTeardown), body)
  }
  public func on_run_start(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.runStarted), body)
  }
  public func on_run_end(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.runCompleted), body)
  }
  public func on_job_start(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.jobStarted), body)
  }
  public func on_job_restart(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.jobRestarted), body)
  }
  public func on_job_end(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.jobCompleted), body)
  }
  public func on_job_failure(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.jobFailed), body)
  }
  public func on_job_abort(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.jobAborted), body)
  }
  public func before_job_queue_execution(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.jobQueueExecution), body)
  }
  public func on_successful_job_queue_execution(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.jobQueueExecution), body)
  }
  public func after_job_queue_execution(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.jobQueueExecution), body)
  }
  public func before_job(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.job), body)
  }
  public func on_successful_job(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.job), body)
  }
  public func after_job(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.job), body)
  }
  public func before_processing_job_output(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.jobOutputProcessing), body)
  }
  public func on_successfully_processing_job(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.jobOutputProcessing), body)
  }
  public func after_processing_job_output(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.jobOutputProcessing), body)
  }
  public func before_reboot(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.reboot), body)
  }
  public func on_successful_reboot(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.reboot), body)
  }
  public func after_reboot(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.reboot), body)
  }
  public func on_error(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.errorLogged), body)
  }
  public func on_warning(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.warningLogged), body)
  }
  public func on_workload_spec_start(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.specStarted), body)
  }
  public func on_workload_spec_end(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.specEnded), body)
  }
  public func on_iteration_start(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.iterationStarted), body)
  }
  public func on_iteration_end(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.iterationEnded), body)
  }
  public func on_spec_init(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.specInitialized), body)
  }
  public func on_iteration_init(_ body: @escaping Hook.Body) -> Hook {
    hook(.moment(.iterationInitialized), body)
  }
  public func before_initial_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.initialBoot), body)
  }
  public func on_successful_initial_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.initialBoot), body)
  }
  public func after_initial_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.initialBoot), body)
  }
  public func before_first_iteration_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.firstIterationBoot), body)
  }
  public func on_successful_first_iteration_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.firstIterationBoot), body)
  }
  public func after_first_iteration_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.firstIterationBoot), body)
  }
  public func before_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.boot), body)
  }
  public func on_successful_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.boot), body)
  }
  public func after_boot(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.boot), body)
  }
  public func before_workload_setup(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.workloadSetup), body)
  }
  public func on_successful_workload_setup(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.workloadSetup), body)
  }
  public func after_workload_setup(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadSetup), body)
  }
  public func before_workload_execution(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.workloadExecution), body)
  }
  public func on_successful_workload_execution(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.workloadExecution), body)
  }
  public func after_workload_execution(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadExecution), body)
  }
  public func before_workload_result_update(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.workloadOutputUpdate), body)
  }
  public func on_successful_workload_result_update(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.workloadOutputUpdate), body)
  }
  public func after_workload_result_update(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadOutputUpdate), body)
  }
  public func before_workload_teardown(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.workloadTeardown), body)
  }
  public func on_successful_workload_teardown(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.workloadTeardown), body)
  }
  public func after_workload_teardown(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.workloadTeardown), body)
  }
  public func before_overall_results_processing(_ body: @escaping Hook.Body) -> Hook {
    hook(.before(.runOutputProcessing), body)
  }
  public func on_successful_overall_results_processing(_ body: @escaping Hook.Body) -> Hook {
    hook(.successful(.runOutputProcessing), body)
  }
  public func after_overall_results_processing(_ body: @escaping Hook.Body) -> Hook {
    hook(.after(.runOutputProcessing), body)
  }
}

extension Instrument {
  public var extremely_slow: WAHooks { WAHooks(priority: .extremelySlow) }
  public var very_slow: WAHooks { WAHooks(priority: .verySlow) }
  public var slow: WAHooks { WAHooks(priority: .slow) }
  public var normal: WAHooks { WAHooks(priority: .normal) }
  public var fast: WAHooks { WAHooks(priority: .fast) }
  public var very_fast: WAHooks { WAHooks(priority: .veryFast) }
  public var extremely_fast: WAHooks { WAHooks(priority: .extremelyFast) }
}
