public import KelvinModel

extension Connection {
  /// By ``settleStepwise(_:until:)``.
  public func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    try await settleStepwise(steps, until: deadline)
  }

  /// Settles by reading all, writing what differs and reading all again: three round trips, and two more
  /// for each step whose file was written before it, or can be read only now. What the writing of one
  /// file does to another shows in ``ValueOutcome/after`` alone.
  package func settleStepwise(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    guard !steps.isEmpty else { return [] }
    try steps.check(connection: name)
    let (paths, places) = steps.distinctPaths
    var known = try await read(paths, until: deadline)
    var outcomes: [ValueOutcome] = []
    var waiting: [(index: Int, path: TargetPath, bytes: [UInt8])] = []
    // What is known of these was true before they were written.
    var written: Set<Int> = []
    for (index, (step, place)) in zip(steps, places).enumerated() {
      // A file that could not be read may have appeared by what was written since.
      let isMissing = if case .failure = known[place] { !written.isEmpty } else { false }
      if written.contains(place) || isMissing {
        try await write(waiting, into: &outcomes, until: deadline)
        waiting = []
        known[place] = try await read([step.path], until: deadline)[0]
      }
      outcomes.append(
        ValueOutcome(before: known[place], writing: .notNeeded, after: .failure(.io)))
      if let wanted = step.wanted, step.isWritten(over: known[place]) {
        waiting.append((index, step.path, wanted))
        written.insert(place)
      }
    }
    try await write(waiting, into: &outcomes, until: deadline)
    if !written.isEmpty { known = try await read(paths, until: deadline) }
    for (index, place) in places.enumerated() { outcomes[index].after = known[place] }
    return outcomes
  }

  private func write(
    _ waiting: [(index: Int, path: TargetPath, bytes: [UInt8])],
    into outcomes: inout [ValueOutcome], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    guard !waiting.isEmpty else { return }
    let results = try await write(waiting.map { ($0.path, $0.bytes) }, until: deadline)
    for (item, result) in zip(waiting, results) {
      outcomes[item.index].writing = ValueOutcome.Writing(result)
    }
  }
}

extension [ValueStep] {
  /// Their paths, each once, in the order in which they come first, and which of them each step has.
  /// Paths are bytes: two spellings of a letter are two.
  var distinctPaths: (paths: [TargetPath], places: [Int]) {
    var paths: [TargetPath] = []
    var known: [[UInt8]: Int] = [:]
    let places = map { step in
      let bytes = [UInt8](step.path.string.utf8)
      if let place = known[bytes] { return place }
      known[bytes] = paths.count
      paths.append(step.path)
      return paths.count - 1
    }
    return (paths, places)
  }
}

extension [ValueStep] {
  /// Refuses paths that no system call takes: a shell would take them for others.
  func check(connection: String) throws(ConnectionFailure) {
    for step in self where step.path.string.utf8.contains(0) {
      throw ConnectionFailure(
        .unsupported, "\(connection): a path with a NUL byte: \(step.path.string.debugDescription)")
    }
  }
}

extension ValueStep {
  /// Whether it is written where the file reads so: what cannot be read is.
  func isWritten(over before: Result<[UInt8], Errno>) -> Bool {
    guard wanted != nil else { return false }
    guard !isAlwaysWritten, case .success(let value) = before else { return true }
    return !isMet(by: value)
  }
}

extension ValueOutcome.Writing {
  init(_ result: Result<Void, Errno>) {
    switch result {
    case .success: self = .done
    case .failure(let error): self = .failed(error)
    }
  }
}
