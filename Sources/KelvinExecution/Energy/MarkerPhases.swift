internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// The markers of phases that workloads write to the board's kernel, for the `energy` instrument.
///
/// Used on the board's thread, in the order prepare, then for each attempt set up, begin, collect, remove.
struct MarkerPhases: Sendable {
  /// The variable that tells a workload where to write.
  static let variable = "KELVIN_TRACE_MARKER"

  private let source: String
  private let trace = BoardConfined<MarkerTrace?>(nil)
  /// Why markers cannot be had on this board.
  private let complaint = BoardConfined<PlainFailure?>(nil)
  /// What the attempt's markers lack.
  private let lack = BoardConfined<PlainFailure?>(nil)

  /// - Parameter source: by which events are told.
  init(source: String) { self.source = source }

  /// What keeps an attempt's phases from being whole, after ``collect(_:until:)``; nil: nothing.
  var failure: PlainFailure? { lack.value }

  /// Removes what dead runs have left, and makes an instance on trial. Why that cannot be done is told with
  /// each job.
  func prepare(_ run: RunContext, until deadline: Deadline) async {
    complaint.value = nil
    do {
      try await tryOut(run, until: deadline)
    } catch {
      complaint.value = PlainFailure(error)
    }
  }

  private func tryOut(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    let place = try await TraceFileSystem.prepared(for: run, source: source, until: deadline)
    let trial = try await MarkerTrace(place, attempt: 0, connection, until: deadline)
    try await trial.remove(connection, until: deadline)
  }

  /// Makes the attempt's buffer.
  ///
  /// - Throws: why there is none.
  func setUp(_ job: JobContext, until deadline: Deadline) async throws {
    lack.value = nil
    if let complaint = complaint.value { throw complaint }
    let connection = job.target.connection
    // Of a job at whose end the link was away.
    try await trace.exchange(nil)?.remove(connection, until: deadline)
    // The board may have rebooted since, and have nothing mounted.
    let place = try await TraceFileSystem.find(connection, until: deadline) {
      job.record(.info, source: source, $0)
    }
    let made = try await MarkerTrace(
      place, attempt: job.attemptID, connection, until: deadline)
    trace.value = made
    if made.isDeafToTheKernels {
      job.record(
        .warning, source: source,
        "somebody traces with the kernel's own buffer: only markers that are written to the file "
          + "that \(Self.variable) names are seen")
    }
  }

  /// Compares the clocks, and tells the workload where to write.
  func begin(_ job: JobContext, until deadline: Deadline) async throws {
    guard var made = trace.value, made.attempt == job.attemptID else { return }
    try await made.begin(job.target.connection, until: deadline)
    trace.value = made
    guard var launch = job.launch else { return }
    launch.environment[Self.variable] = made.marker.string
    job.launch = launch
  }

  /// What was marked since ``begin(_:until:)``. What keeps it from being had is kept as ``failure``, since
  /// meters must be stopped all the same.
  func collect(_ job: JobContext, until deadline: Deadline) async -> MarkerTrace.Found {
    guard var made = trace.value, made.attempt == job.attemptID else { return .init() }
    do {
      let found = try await made.collect(job.target.connection, until: deadline)
      trace.value = made
      if found.lost > 0 {
        lack.value = PlainFailure(
          .target,
          "phases: \(found.lost) markers were overwritten before they were read: of phases only those "
            + "after them are given",
          hint: "does a program write many to trace_marker?")
      }
      return found
    } catch {
      lack.value = PlainFailure(error)
      return .init()
    }
  }

  /// Removes the attempt's buffer. Idempotent.
  func remove(_ connection: any Connection, until deadline: Deadline) async throws {
    try await trace.exchange(nil)?.remove(connection, until: deadline)
  }
}
