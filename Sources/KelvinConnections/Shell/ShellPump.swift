internal import KelvinModel
internal import KelvinSystem

/// Moves the bytes of a command's streams over a link until both have come to their trailers.
struct ShellPump {
  private(set) var output: OutputSink
  private(set) var error: OutputSink
  private let link: any ShellLink
  private(set) var input: InputSource
  private var isInputOpen: Bool
  private var outputBytes: [UInt8] = []
  private var errorBytes: [UInt8] = []
  /// Why nothing comes any more.
  private var loss: ConnectionFailure?

  /// - Parameters:
  ///   - error: nil: nothing ends standard error.
  ///   - input: sent while output is taken; then the input is closed if `closesInput`.
  ///   - checksum: over what was sent before, where one is taken over an input that is a descriptor's.
  ///   - nonce: of the trailers.
  init(
    _ link: any ShellLink, output: Command.Output, error: Command.Output?,
    input: Command.Input = .null, closesInput: Bool = false, checksum: PosixChecksum? = nil,
    nonce: String
  ) {
    self.link = link
    self.output = OutputSink(output, nonce: nonce)
    self.error = OutputSink(error ?? .discard, nonce: error == nil ? nil : nonce)
    hasError = error != nil
    self.input = InputSource(input, checksum: checksum)
    isInputOpen = closesInput || !self.input.isAtEnd
    self.closesInput = closesInput
  }

  private let closesInput: Bool
  /// Whether a trailer ends standard error.
  private let hasError: Bool

  /// Why a command is not waited for any longer.
  enum Stop {
    case timedOut, interrupted
    /// The file that the output goes to cannot take it.
    case fileFailed
    /// The link broke, or the shell ended without its trailers.
    case lost(ConnectionFailure)
  }

  /// Whether a file that output goes to has failed.
  var isBroken: Bool { output.failure != nil || error.failure != nil }
  /// Whether the streams have come to their trailers.
  var hasTrailers: Bool { output.trailer != nil && (!hasError || error.trailer != nil) }

  /// Takes what was received before the pump began.
  mutating func begin(output: [UInt8], error: [UInt8]) {
    output.withUnsafeBytes { self.output.take($0) }
    error.withUnsafeBytes { self.error.take($0) }
  }

  /// Runs until both trailers have come.
  ///
  /// - Parameter progress: told after each round how many bytes of an input with a checksum were
  ///   sent, and how many of output were received.
  /// - Returns: why it stopped before that.
  mutating func run(
    until deadline: Deadline, progress: ((_ input: Int64, _ output: Int64) -> Void)? = nil
  ) -> Stop? {
    while true {
      feed()
      move()
      if let progress {
        let read = Int64(input.checksum?.count ?? 0)
        progress(read - Int64(input.bytes.count), output.output.totalBytes)
      }
      if hasTrailers { return nil }
      if let loss { return .lost(loss) }
      if isBroken { return .fileFailed }
      // Looked at in each round, so that a flood cannot hold up the deadline.
      let awaited = isInputOpen ? input.awaited : -1
      switch link.wait(toSend: !input.bytes.isEmpty, orFor: awaited, until: deadline) {
      case .interrupted: return deadline.isLost ? .lost(.boardIsLost) : .interrupted
      case .passed: return .timedOut
      case .ready: if deadline.hasPassed { return .timedOut }
      }
    }
  }

  /// Moves bytes for so long, also beyond the trailers.
  mutating func wait(milliseconds: Int32) {
    let deadline = Deadline.after(seconds: Double(milliseconds) / 1000)
    repeat {
      guard loss == nil else {
        _ = deadline.wait()
        return
      }
      guard link.wait(toSend: false, until: deadline) == .ready else { return }
      move()
    } while !deadline.hasPassed
  }

  /// Keeps what was held back as the possible begin of a trailer, and closes files.
  mutating func finish() {
    output.flush()
    error.flush()
    output.finish()
    error.finish()
  }

  private mutating func move() {
    guard loss == nil else { return }
    do {
      let event = try link.receive(into: &outputBytes, error: &errorBytes)
      if case .ended(let status) = event {
        let how = status.map { " with status \($0)" } ?? ""
        loss = ConnectionFailure(.connectionLost, "the shell on the target has ended\(how)")
      }
    } catch {
      loss = error
    }
    if !outputBytes.isEmpty { outputBytes.withUnsafeBytes { output.take($0) } }
    if !errorBytes.isEmpty { errorBytes.withUnsafeBytes { error.take($0) } }
    outputBytes.removeAll(keepingCapacity: true)
    errorBytes.removeAll(keepingCapacity: true)
  }

  private mutating func feed() {
    guard isInputOpen else { return }
    do {
      input.fill()
      while !input.bytes.isEmpty {
        let count = try link.send(input.bytes.prefix(1 << 18))
        if count == 0 { return }
        input.drop(count)
      }
      guard input.isAtEnd else { return }
      isInputOpen = false
      if closesInput { try link.closeInput() }
    } catch {
      // Nobody reads it any more; whether the link is lost shows where the output comes from.
      input.end()
      isInputOpen = false
    }
  }
}
