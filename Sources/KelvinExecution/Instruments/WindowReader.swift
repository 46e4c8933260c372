internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Reads the same files just before and just after the measured window, each time in one round
/// trip.
///
/// The raw bytes are kept until the job's output is updated, so that nothing but reading happens
/// next to the window. What belongs to one attempt is never seen by another.
final class WindowReader: Sendable {
  /// The files as they were at one moment.
  struct Reading: Sendable {
    /// The middle of the call that read them.
    var time: MonotonicTime
    /// In the order of the paths.
    var contents: [Result<[UInt8], Errno>]

    /// A file's text; nil when it could not be read.
    func text(_ index: Int) -> KernelText? {
      guard index < contents.count, case .success(let bytes) = contents[index] else { return nil }
      return KernelText(bytes)
    }
  }

  /// Both readings of an attempt.
  struct Window: Sendable {
    var before: Reading
    var after: Reading

    /// Nanoseconds between the readings.
    var duration: Int64 { after.time - before.time }
  }

  private struct State {
    var paths: [TargetPath]
    var attempt: Int64?
    var before: Reading?
    var after: Reading?
  }
  private let state: BoardConfined<State>

  /// Creates a reader of these files.
  init(_ paths: [TargetPath] = []) { state = BoardConfined(State(paths: paths)) }

  /// The files, in the order of a reading's contents.
  var paths: [TargetPath] {
    get { state.value.paths }
    set { state.value.paths = newValue }
  }

  /// Reads the files before the window, and forgets what an earlier attempt left.
  func readBefore(_ context: SignalContext) async throws {
    let job = try context.requireJob()
    state.value = State(paths: paths, attempt: job.attemptID)
    state.value.before = try await read(context)
  }

  /// Reads the files after the window.
  func readAfter(_ context: SignalContext) async throws {
    guard state.value.attempt == (try context.requireJob()).attemptID else { return }
    state.value.after = try await read(context)
  }

  private func read(_ context: SignalContext) async throws -> Reading {
    let begin = MonotonicTime.now
    let contents = try await context.target.connection.read(paths, until: context.deadline)
    let middle = begin.nanoseconds + (MonotonicTime.now - begin) / 2
    return Reading(time: MonotonicTime(nanoseconds: middle), contents: contents)
  }

  /// Takes both readings of this attempt, and records which files could not be read.
  ///
  /// - Returns: nil when a reading failed as a whole, which has been reported where it failed.
  func take(_ job: JobContext, source: String) -> Window? {
    let state = self.state.exchange(State(paths: paths))
    guard state.attempt == job.attemptID, let before = state.before, let after = state.after
    else { return nil }
    var trouble: [String] = []
    for (index, path) in state.paths.enumerated() {
      for (reading, moment) in [(before, "before"), (after, "after")] {
        guard index < reading.contents.count, case .failure(let error) = reading.contents[index]
        else { continue }
        trouble.append("\(path) \(moment) the window: \(error)")
      }
    }
    if !trouble.isEmpty {
      job.record(.warning, source: source, "could not be read: \(trouble.shortList)")
    }
    return Window(before: before, after: after)
  }
}
