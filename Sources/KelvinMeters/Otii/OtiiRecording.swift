internal import KelvinModel
internal import Synchronization

/// A recording at Otii's server, and how far that has got. Used by one thread at a time.
final class OtiiRecording: Sendable {
  private let project: Int64
  /// Whether there was no project before.
  private let isOurProject: Bool
  private let state = Mutex(State())

  private struct State {
    var number: Int64?
    var isRunning = false
  }

  /// As the server knows it; nil until it has begun.
  var number: Int64? { state.withLock { $0.number } }
  var isRunning: Bool { state.withLock { $0.isRunning } }

  /// Finds the project that is open, or makes one.
  ///
  /// - Throws: `busy` when it records already.
  init(_ session: OtiiSession, until deadline: Deadline) throws(MeterFailure) {
    var data = try session.ask("otii_get_active_project", until: deadline)
    isOurProject = data["project_id"]?.integer ?? -1 == -1
    if isOurProject { data = try session.ask("otii_create_project", until: deadline) }
    guard let number = data["project_id"]?.integer else {
      throw session.lacks("project", "otii_create_project", data)
    }
    project = number
    guard try !Self.isRecording(number, session, until: deadline) else {
      throw MeterFailure(
        .busy, "\(session.name): it records already", hint: "stop that in Otii, or wait for it")
    }
  }

  private static func isRecording(
    _ project: Int64, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> Bool {
    let last = try session.ask(
      "project_get_last_recording", ["project_id": .integer(project)], until: deadline)
    guard let number = last["recording_id"]?.integer, number >= 0 else { return false }
    do throws(MeterFailure) {
      return try session.ask(
        "recording_is_running", ["recording_id": .integer(number)], until: deadline)["running"]?
        .boolean ?? false
    } catch {
      // Not every version can be asked (otii-tcp-client-python, issue 9).
      guard error.code == .unsupported else { throw error }
      return false
    }
  }

  /// Begins it.
  ///
  /// - Returns: when it began by the server's clock on the wall, as that writes it; empty when it does not say.
  func begin(_ session: OtiiSession, until deadline: Deadline) throws(MeterFailure) -> String {
    // From here on it may run, whatever becomes of the answer.
    state.withLock { $0.isRunning = true }
    try session.ask(
      "project_start_recording", ["project_id": .integer(project)], until: deadline)
    let last = try session.ask(
      "project_get_last_recording", ["project_id": .integer(project)], until: deadline)
    guard let number = last["recording_id"]?.integer, number >= 0 else {
      throw session.lacks("recording", "project_get_last_recording", last)
    }
    state.withLock { $0.number = number }
    return last["start-time"]?.text ?? ""
  }

  /// Ends it. Idempotent.
  func end(_ session: OtiiSession, until deadline: Deadline) throws(MeterFailure) {
    guard isRunning else { return }
    try session.ask(
      "project_stop_recording", ["project_id": .integer(project)], until: deadline)
    state.withLock { $0.isRunning = false }
  }

  /// Takes it out of the project, and the project with it where it was made for it.
  func remove(_ session: OtiiSession, until deadline: Deadline) throws(MeterFailure) {
    if let number {
      try session.ask("recording_delete", ["recording_id": .integer(number)], until: deadline)
    }
    guard isOurProject else { return }
    try session.ask(
      "project_close", ["project_id": .integer(project), "force": true], until: deadline)
  }

  /// How many entries a channel has.
  func count(
    _ channel: OtiiChannel, of device: String, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> Int64 {
    let command = "recording_get_channel_data_count"
    let answer = try session.ask(command, data(channel, device), until: deadline)
    guard let count = answer["count"]?.integer, count >= 0 else {
      throw session.lacks("count", command, answer)
    }
    return count
  }

  /// Some entries of a channel.
  func piece(
    _ channel: OtiiChannel, of device: String, from index: Int64, count: Int64, scale: Double,
    _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> OtiiPiece {
    let command = "recording_get_channel_data"
    var data = data(channel, device)
    data["index"] = .integer(index)
    data["count"] = .integer(count)
    let (answer, numbers) = try session.answer(command, data, until: deadline)
    guard let piece = OtiiPiece(answer, numbers: numbers, scale: scale) else {
      throw session.lacks("samples of \(channel.rawValue)", command, answer)
    }
    return piece
  }

  private func data(_ channel: OtiiChannel, _ device: String) -> [String: Value] {
    [
      "recording_id": .integer(number ?? -1), "device_id": .text(device),
      "channel": .text(channel.code)
    ]
  }
}
