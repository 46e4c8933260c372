internal import KelvinModel
internal import Synchronization

extension ShellConnection {
  package func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    var reason = ""
    if plan.onBoard != .never {
      do {
        return try await samplerOnBoard(plan, until: .after(seconds: 60))
      } catch {
        guard plan.onBoard == .auto, error.code == .unsupported else { throw error }
        reason = error.message + (error.hint.isEmpty ? "" : " (\(error.hint))")
      }
    }
    return ShellSampler(
      plan, connection: ShellConnection(transport, ownsTransport: false), reason: reason)
  }

  private func samplerOnBoard(
    _ plan: SamplePlan, until deadline: Deadline
  ) async throws(ConnectionFailure) -> BoardSampler {
    guard plan.files.count <= BoardSampler.greatestFileCount,
      plan.periodNanoseconds >= BoardSampler.shortestPeriod
    else {
      throw ConnectionFailure(
        .unsupported,
        "\(name): the sampler takes \(BoardSampler.greatestFileCount) files at most, and periods of "
          + "\(BoardSampler.shortestPeriod / 1000) us and more")
    }
    let program = try await boardSampler(until: deadline)
    do {
      return try BoardSampler(
        plan, transport: transport, program: program, environment: environment, until: deadline)
    } catch {
      guard error.code == .connectionLost else { throw error }
    }
    // The board may have started anew since the program was put there.
    samplerPath.withLock { $0 = nil }
    return try BoardSampler(
      plan, transport: transport, program: try await boardSampler(until: deadline),
      environment: environment, until: deadline)
  }
}

extension BoardSampler {
  /// Limits of the program on the board.
  static let greatestFileCount = 256
  static let shortestPeriod: Int64 = 10_000
}

extension ProbeEffect {
  init(_ end: SamplerMessage.End) {
    func known(_ number: Int64) -> Int64? { number < 0 ? nil : number }
    self.init(
      window: end.end &- end.begin, wakeUps: end.switches, preemptions: end.preemptions,
      pageFaults: end.faults, bytesOut: end.bytesOut, bytesIn: end.bytesIn,
      linkCPUNanoseconds: known(end.linkCPU), linkWakeUps: known(end.linkRuns),
      boardForks: known(end.forks))
  }
}
