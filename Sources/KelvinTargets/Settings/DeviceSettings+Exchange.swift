internal import KelvinConnections
internal import KelvinModel
internal import Synchronization

// What goes to the board: files in one round trip, commands in another.
extension DeviceSettings {
  /// Why a value was not taken.
  struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
    var hint = ""
  }

  /// What became of one wish.
  struct Outcome: Sendable {
    var before: Result<String, Errno>
    var isWritten: Bool
    var written: Result<Void, Refusal>
    /// Read after all of them.
    var after: Result<String, Errno>
  }

  /// Reads points, files in one round trip and commands in another.
  func read(
    _ points: [SettingPoint], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>] {
    var readings = [Result<String, Errno>](repeating: .failure(.io), count: points.count)
    var files: [(index: Int, path: TargetPath)] = []
    var commands: [Int] = []
    for (index, point) in points.enumerated() {
      switch point.place {
      case .file(let path): files.append((index, TargetPath(path)))
      case .commands: commands.append(index)
      }
    }
    if !files.isEmpty {
      // As witnesses: so that root reads what only root may.
      let outcomes = try await target.connection.settle(
        files.map { ValueStep($0.path) }, until: deadline)
      for (file, outcome) in zip(files, outcomes) {
        readings[file.index] = SettingsReader.value(outcome.after)
      }
    }
    if !commands.isEmpty {
      let replies = try await run(commands.map { (points[$0], nil) }, until: deadline)
      for (index, reply) in zip(commands, replies) { readings[index] = reply.after }
    }
    return readings
  }

  /// Settles wishes in their order: neighbors of one kind together.
  func settle(
    _ wishes: [SettingWish], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Outcome] {
    var outcomes: [Outcome] = []
    var rest = wishes[...]
    while let first = rest.first {
      let isFile = first.point.isFile
      let group = rest.prefix { $0.point.isFile == isFile }
      rest = rest.dropFirst(group.count)
      outcomes +=
        isFile
        ? try await settleFiles(Array(group), until: deadline)
        : try await run(group.map { ($0.point, $0.value) }, until: deadline)
    }
    return outcomes
  }

  private func settleFiles(
    _ wishes: [SettingWish], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Outcome] {
    let known = state.withLock { $0.known }
    let steps = wishes.map { wish in
      let spelled = known[wish.point.id].flatMap { reading in
        reading != wish.value && wish.point.meaning != .unverified
          && wish.point.meaning.holds(reading, wish.value) ? [reading] : nil
      }
      return ValueStep(
        TargetPath(wish.point.id), line: wish.value,
        isAlwaysWritten: wish.point.meaning == .unverified, equivalents: spelled ?? [])
    }
    return try await target.connection.settle(steps, until: deadline).map { outcome in
      let written: Result<Void, Refusal>
      if case .failed(let error) = outcome.writing {
        written = .failure(
          Refusal(
            description: "\(error)",
            hint: error == .permissionDenied || error == .notPermitted
              ? "settings need root: log in as root, or allow 'sudo' or 'su'" : ""))
      } else {
        written = .success(())
      }
      return Outcome(
        before: SettingsReader.value(outcome.before), isWritten: outcome.writing == .done,
        written: written, after: SettingsReader.value(outcome.after))
    }
  }

  /// Runs the commands of points in one script, as root: reads each, writes what differs, and reads all
  /// again.
  ///
  /// - Parameter wanted: nil only reads.
  private func run(
    _ points: [(point: SettingPoint, wanted: String?)], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Outcome] {
    let script = SettingsScript(points)
    let result = try await target.connection.execute(
      Command(
        ["sh", "-c", script.text], standardError: .capture(limit: 65_536), endsDescendants: false,
        asRoot: true), until: deadline)
    guard let outcomes = script.outcomes(in: result.standardOutput.bytes) else {
      throw ConnectionFailure(
        .badReply, "\(target.name): the commands of settings did not answer",
        evidence: "\(result.termination) \(result.standardError.text.prefix(400))")
    }
    return outcomes
  }
}

extension SettingPoint {
  var isFile: Bool { if case .file = place { true } else { false } }
}
