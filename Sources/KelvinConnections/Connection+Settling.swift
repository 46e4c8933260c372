public import KelvinModel

extension Connection {
  /// Settles by reading all, writing what differs, and reading all again: some round trips more than one.
  public func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    guard !steps.isEmpty else { return [] }
    let paths = steps.distinctPaths
    var known = Dictionary(uniqueKeysWithValues: zip(paths, try await read(paths, until: deadline)))
    var outcomes: [ValueOutcome] = []
    var waiting: [(index: Int, path: TargetPath, bytes: [UInt8])] = []
    // What is known of these was true before they were written.
    var stale: Set<TargetPath> = []
    for (index, step) in steps.enumerated() {
      // A file that could not be read may have appeared by what was written since.
      let isMissing = if case .failure? = known[step.path] { !stale.isEmpty } else { false }
      if stale.contains(step.path) || isMissing {
        try await write(waiting, into: &outcomes, until: deadline)
        waiting = []
        known[step.path] = try await read([step.path], until: deadline)[0]
      }
      let before = known[step.path] ?? .failure(.io)
      outcomes.append(ValueOutcome(before: before, writing: .notNeeded, after: before))
      if let wanted = step.wanted, step.isWritten(over: before) {
        waiting.append((index, step.path, wanted))
        stale.insert(step.path)
      }
    }
    try await write(waiting, into: &outcomes, until: deadline)
    let after = try await read(paths, until: deadline)
    known = Dictionary(uniqueKeysWithValues: zip(paths, after))
    for (index, step) in steps.enumerated() {
      outcomes[index].after = known[step.path] ?? .failure(.io)
    }
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
  /// Their paths, each once, in the order in which they come first.
  var distinctPaths: [TargetPath] {
    var seen: Set<TargetPath> = []
    return map(\.path).filter { seen.insert($0).inserted }
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
