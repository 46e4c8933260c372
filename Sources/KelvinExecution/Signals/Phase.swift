/// Something with a beginning and an end in a run, around which three signals are sent: before,
/// successful (only when it worked), and after (always).
///
/// Sources of the names: wlauto 2.7.0 core/signal.py, wa 3.3.1 framework/signal.py.
public enum Phase: String, Sendable, Hashable, CaseIterable {
  /// WA3 run-init: everything from the first contact to the first job.
  case runInitialization = "run-init"
  case targetConnect = "target-connect"
  case targetDisconnect = "target-disconnect"
  case reboot
  /// WA2: the first boot of a run.
  case initialBoot = "initial-boot"
  /// WA2: the boot before a spec's first iteration.
  case firstIterationBoot = "first-iteration-boot"
  /// WA2: any boot.
  case boot
  case flashing
  case jobQueueExecution = "job-queue-execution"
  case job
  /// Settings are applied here.
  case jobTargetConfiguration = "job-target-config"
  /// Once for each spec.
  case workloadInitialization = "workload-initialized"
  case workloadSetup = "workload-setup"
  /// The measured window.
  case workloadExecution = "workload-execution"
  /// WA3 job-output-processed: extraction and update together.
  case jobOutputProcessing = "job-output-processed"
  case workloadResultExtraction = "workload-result-extraction"
  /// WA2 iteration-result-update, WA3 workload-output-update.
  case workloadOutputUpdate = "workload-output-update"
  case workloadTeardown = "workload-teardown"
  /// Once for each spec.
  case workloadFinalization = "workload-finalized"
  /// WA2 overall-results-process, WA3 run-output-processed.
  case runOutputProcessing = "run-output-processed"
}
