internal import Glibc
package import KelvinModel
package import KelvinSystem
internal import Synchronization

/// A shell on a device by shell,v2: three streams and an exit status in one.
package final class ADBShellLink: ShellLink {
  private let descriptor: Int32
  private let name: String
  private let state: Mutex<State>

  private struct State {
    let stream: ADBStream
    var decoder = ADBShellDecoder()
    var received: [UInt8] = []
    /// A packet of which a part is sent.
    var pending: ArraySlice<UInt8> = []
    var isInputOpen = true
    var isAbandoned = false
  }

  /// Standard input of one packet.
  private static let chunk = 1 << 16

  init(_ stream: sending ADBStream) {
    descriptor = stream.descriptor
    name = stream.name
    state = Mutex(State(stream: stream))
  }

  package func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int {
    try state.withLock { state throws(ConnectionFailure) in
      guard !state.isAbandoned, state.isInputOpen else {
        throw ConnectionFailure(.connectionLost, "\(name): the shell is gone")
      }
      try flush(&state)
      guard state.pending.isEmpty, !bytes.isEmpty else { return 0 }
      let part = bytes.prefix(ADBShellLink.chunk)
      state.pending = (ADBShellPacket.header(0, length: part.count) + part)[...]
      try flush(&state)
      return part.count
    }
  }

  package func closeInput() throws(ConnectionFailure) {
    try state.withLock { state throws(ConnectionFailure) in
      guard !state.isAbandoned, state.isInputOpen else { return }
      state.isInputOpen = false
      state.pending += ADBShellPacket.closeInput.encoded
      try flush(&state)
    }
  }

  private func flush(_ state: inout State) throws(ConnectionFailure) {
    while !state.pending.isEmpty {
      let count = try state.stream.sendNow(state.pending)
      if count == 0 { return }
      state.pending = state.pending.dropFirst(count)
    }
  }

  /// - Throws: `connectionLost` when the stream ends and no exit packet came: whatever was printed,
  ///   how the shell ended is not known.
  package func receive(
    into output: inout [UInt8], error: inout [UInt8]
  ) throws(ConnectionFailure) -> ShellLinkEvent {
    try state.withLock { state throws(ConnectionFailure) in
      if let status = state.decoder.status { return .ended(status: Int32(status)) }
      guard !state.isAbandoned else { return .ended(status: nil) }
      // What was to be sent may go now; a failure shows in what is received.
      try? flush(&state)
      let count = state.stream.stash()
      guard state.stream.hasBuffered else {
        if count == 0 { throw state.stream.lost("it ended without an exit status") }
        return .open
      }
      state.received.removeAll(keepingCapacity: true)
      state.stream.takeBuffered(into: &state.received)
      do throws(ADBShellDecoder.Mistake) {
        try state.decoder.take(state.received[...], output: &output, error: &error)
      } catch {
        state.isAbandoned = true
        state.stream.close()
        throw ConnectionFailure(
          .connectionLost, "\(name): sent what no shell sends", evidence: error.text)
      }
      return state.decoder.status.map { .ended(status: Int32($0)) } ?? .open
    }
  }

  package func wait(toSend: Bool, orFor other: Int32, until deadline: Deadline) -> WaitResult {
    let (isDone, isPending) = state.withLock { state in
      state.stream.acknowledge()
      return (
        state.isAbandoned || state.decoder.status != nil || state.stream.hasBuffered,
        !state.pending.isEmpty
      )
    }
    if isDone { return .ready }
    let events = toSend || isPending ? POLLIN | POLLOUT : POLLIN
    return deadline.wait(forEither: [(descriptor, Int16(events)), (other, Int16(POLLIN))])
  }

  /// Hangs up: adbd ends the shell.
  package func abandon() {
    state.withLock { state in
      state.isAbandoned = true
      state.stream.close()
    }
  }
}

extension ADBShellLink: ADBTerminalLink {
  var awaited: (descriptor: Int32, events: Int16) {
    let isPending = state.withLock { !$0.pending.isEmpty }
    return (descriptor, Int16(isPending ? POLLIN | POLLOUT : POLLIN))
  }

  var hasReceived: Bool {
    state.withLock { $0.isAbandoned || $0.decoder.status != nil || $0.stream.hasBuffered }
  }

  func resize(_ size: TerminalSize) throws(ConnectionFailure) {
    try state.withLock { state throws(ConnectionFailure) in
      guard !state.isAbandoned, state.isInputOpen else { return }
      state.pending += ADBShellPacket.windowSize(rows: size.rows, columns: size.columns).encoded
      try flush(&state)
    }
  }
}

extension Deadline {
  /// Waits until one of a few descriptors has one of its events; -1 is passed over.
  func wait(forEither awaited: [(descriptor: Int32, events: Int16)]) -> WaitResult {
    var polled = awaited.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
    polled.append(pollfd(fd: interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0))
    while true {
      if isInterrupted { return .interrupted }
      let count = poll(&polled, nfds_t(polled.count), pollMilliseconds)
      if count < 0, errno != EINTR { return .passed }
      if isInterrupted { return .interrupted }
      if count > 0, polled.dropLast().contains(where: { $0.revents != 0 }) { return .ready }
      if hasPassed { return .passed }
    }
  }
}
