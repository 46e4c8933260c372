internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// Does nothing for a while: what the target costs when it is left alone.
struct Idle: Workload {
  private let seconds: Double

  init(_ spec: JobSpec) throws {
    seconds = spec.parameters["duration"]?.number ?? 20
    for option in ["screen_off", "stop_android"] where spec.parameters[option]?.boolean == true {
      throw PlainFailure(
        .configuration, "idle: '\(option)' is only for boards that run Android",
        hint: "leave it out")
    }
  }

  static let type = WorkloadType(
    Declaration(
      .workload, "idle", summary: "Leaves the target alone for a while.",
      options: [
        OptionDeclaration(
          "duration", .quantity(.time, bare: "s"), default: 20.0, range: 0...1e6,
          "How long; a bare number is in seconds."),
        OptionDeclaration(
          "screen_off", .boolean, default: false, "Only for Android boards, as is stop_android."),
        OptionDeclaration(
          "stop_android", .boolean, default: false, "Only for Android boards.")
      ] + CommandWorkload.assetOptions)
  ) { try Idle($0) }

  func run(_ job: JobContext) async throws {
    if job.spec.detached != nil {
      job.launch = Launch(argv: ["sleep", String(Int64(seconds.rounded(.up)))])
      _ = try await job.runLaunch()
      return
    }
    let end = Deadline.after(seconds: seconds, interrupt: job.deadline.interrupt)
    while !end.hasPassed {
      if end.isInterrupted { throw ConnectionFailure(.interrupted, "idle: stopped") }
      if job.deadline.hasPassed {
        throw ConnectionFailure(
          .timedOut, "idle: the stage's time is over before its duration of \(seconds) s",
          hint: "raise run_timeout")
      }
      var waiting = pollfd(
        fd: end.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
      let rest = min(end.pollMilliseconds, 60_000)
      poll(
        &waiting, 1,
        min(rest, job.deadline.pollMilliseconds < 0 ? rest : job.deadline.pollMilliseconds))
    }
  }
}
