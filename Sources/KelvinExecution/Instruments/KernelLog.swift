internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// What the kernel logged while a job ran.
public struct KernelLog: Instrument {
  public static let declaration = Declaration(
    .instrument, "dmesg",
    summary: "What the kernel logged while the job ran.",
    description: """
      dmesg is read before and after the measured window; what came in between is the artifact \
      dmesg.log. Nothing runs on the target while the workload does, and the log is not cleared. \
      Panics, oopses, BUGs, lockups, hung tasks, an exhausted memory, sanitizers' and machine \
      check reports are counted, and shown in a warning. A log that turned over in between begins with what is left of it, which a warning says. A reading \
      is the whole log, which takes its time over a slow console.
      """,
    metrics: [
      MetricDeclaration("dmesg_lines", "Lines that came."),
      MetricDeclaration(
        "dmesg_alarms", "How often the kernel says there that it is in trouble.")
    ])

  private struct Readings: Sendable {
    var attempt: Int64
    var before: [UInt8]
    var after: [UInt8]?
  }
  private let readings = BoardConfined<Readings?>(nil)

  /// Takes no settings of its own.
  public init(settings: [String: Value]) {}

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    guard try await connection.findExecutables(["dmesg"], until: deadline)[0] != nil else {
      throw InstrumentUnavailable(
        "dmesg: not found on the target", hint: "install util-linux, busybox or toybox")
    }
    do throws(ConnectionFailure) {
      _ = try await TargetLog.readKernel(through: connection, until: deadline)
    } catch {
      guard case .refused = error.code else { throw error }
      throw InstrumentUnavailable(error.message, hint: error.hint)
    }
  }

  public var hooks: [Hook] {
    slow.start { context in
      let job = try context.requireJob()
      readings.value = nil
      readings.value = Readings(
        attempt: job.attemptID,
        before: try await TargetLog.readKernel(
          through: context.target.connection, until: context.deadline))
    }
    slow.stop { context in
      guard readings.value?.attempt == (try context.requireJob()).attemptID else { return }
      readings.value?.after = try await TargetLog.readKernel(
        through: context.target.connection, until: context.deadline)
    }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let readings = readings.exchange(nil), readings.attempt == job.attemptID,
        let after = readings.after
      else { return }
      try report(KernelLogDifference(before: readings.before, after: after), job)
    }.hostSide
  }

  private func report(_ difference: KernelLogDifference, _ job: JobContext) throws {
    if !difference.new.isEmpty {
      try job.write(
        difference.new, to: "dmesg.log", kind: .log, description: "what the kernel logged",
        source: name)
    }
    if !difference.isContinuous {
      job.record(
        .warning, source: name,
        "dmesg.log: the kernel's log turned over or was cleared while the job ran: earlier lines "
          + "are missing, or older ones are among them")
    }
    job.add(Metric("dmesg_lines", .integer(Int64(difference.lineCount)), source: name))
    KernelSigns.scan(difference).record(
      as: "dmesg_alarms", of: "the kernel's log", in: job, source: name)
  }
}
