internal import Glibc
public import KelvinModel
internal import KelvinSystem

/// A board in its boot loader, by fastboot.
///
/// Used by one thread at a time, which it may block until the deadline of a call. A call that was
/// refused leaves the device usable; after any other failure it is of no more use, and says so.
///
/// Protocol: Android's fastboot/README.md. Whatever this type waits for, it waits until a deadline.
public final class FastbootDevice {
  /// What messages call it: `tcp 10.0.0.7:5554`.
  public let name: String
  /// Hears each line that the boot loader says besides its answers.
  public var hear: (String) -> Void = { _ in }

  private let transport: any FastbootTransport
  private var hasFailed = false
  /// Whether nothing more can be asked of it.
  var hasLostLink: Bool { hasFailed }
  /// What was said during the command that is under way, the last of it.
  private var said: [String] = []

  /// Lines that a failure's evidence has at most.
  private static let evidenceLines = 8

  init(_ transport: any FastbootTransport) {
    self.transport = transport
    name = transport.name
  }

  deinit { close() }

  /// Opens a boot loader, waiting for it when it is not there yet.
  ///
  /// - Parameters:
  ///   - patience: how long to wait for it, in seconds; 0: it must be there.
  ///   - deadline: of the whole call.
  public static func open(
    _ address: FastbootAddress, patience: Double = 0, until deadline: Deadline
  ) async throws(ConnectionFailure) -> FastbootDevice {
    let limit = deadline.limited(toSeconds: patience)
    while true {
      do {
        // One that takes a connection and then says nothing is not there yet, either.
        return FastbootDevice(try address.open(until: deadline.limited(toSeconds: 5)))
      } catch {
        guard error.code == .notFound || error.code == .timedOut || error.code == .connectionLost,
          !limit.hasPassed
        else { throw error }
        // Nothing announces that a boot loader listens: it is tried again.
        _ = limit.limited(toSeconds: 0.1).wait()
        if limit.isInterrupted {
          throw .noAnswer(transportName(address), "waiting for it", deadline)
        }
        if limit.hasPassed { throw error }
      }
    }
  }

  private static func transportName(_ address: FastbootAddress) -> String {
    switch address {
    case .tcp(let place): "tcp \(place)"
    case .udp(let place): "udp \(place)"
    case .usb(let match): "usb \(match)"
    }
  }

  /// Lets go of the board. Idempotent.
  public func close() { transport.close() }

  // MARK: commands

  /// Sends a command that moves no data, and gives what its OKAY says.
  ///
  /// - Throws: `refused` with the boot loader's words, and what carrying it there throws.
  @discardableResult
  public func run(
    _ command: FastbootCommand, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String {
    let answer = try await ask(command, deadline)
    guard case .okay(let value) = answer else {
      throw bad(command, "it wants to move data, which is not what this command does")
    }
    return FastbootText.printable(value)
  }

  /// Sends a command, and gives the end of its answer: an OKAY or DATA.
  func ask(
    _ command: FastbootCommand, _ deadline: Deadline
  ) async throws(ConnectionFailure) -> FastbootReply {
    said = []
    try await carry(command.text) { () async throws(ConnectionFailure) in
      try await self.transport.send(Array(command.text.utf8)[...], until: deadline)
    }
    return try await answer(to: command, deadline)
  }

  /// Takes replies until one ends the answer.
  func answer(
    to command: FastbootCommand, _ deadline: Deadline
  ) async throws(ConnectionFailure) -> FastbootReply {
    while true {
      // A boot loader that talks without end does not outlast the deadline.
      guard !deadline.hasPassed, !deadline.isInterrupted else {
        hasFailed = true
        throw addingWords(
          to: .noAnswer(name, "waiting for the end of its answer", deadline), command.text)
      }
      let packet = try await carry(command.text) { () async throws(ConnectionFailure) in
        try await self.transport.receiveReply(until: deadline)
      }
      switch FastbootReply(packet) {
      case .info(let line)?, .text(let line)?: take(line)
      case .fail(let reason)?:
        let words = FastbootText.printable(reason)
        throw addingWords(
          to: ConnectionFailure(
            .refused(words),
            "fastboot \(name): '\(command.text)' was refused"
              + (words.isEmpty ? " without a reason" : ": \(words)")), command.text)
      case nil:
        throw bad(command, "'\(FastbootText.printable(Array(packet.prefix(32))))' is no reply")
      case let reply?: return reply
      }
    }
  }

  private func take(_ line: [UInt8]) {
    let text = FastbootText.printable(line)
    said.append(text)
    if said.count > FastbootDevice.evidenceLines { said.removeFirst() }
    hear(text)
  }

  /// Runs a step of the transport; a failure is final, and carries what was said before.
  @discardableResult
  private func carry<Result>(
    _ what: String, _ body: () async throws(ConnectionFailure) -> Result
  ) async throws(ConnectionFailure) -> Result {
    guard !hasFailed else {
      throw ConnectionFailure(
        .connectionLost, "fastboot \(name): '\(what)' was not sent: the connection failed before")
    }
    do { return try await body() } catch {
      hasFailed = true
      throw addingWords(to: error, what)
    }
  }

  private func addingWords(to failure: ConnectionFailure, _ what: String) -> ConnectionFailure {
    var message = failure.message
    if !message.contains(what) { message += " ('\(what)')" }
    return ConnectionFailure(
      failure.code, message,
      evidence: said.isEmpty ? "" : "it had said: \(said.joined(separator: "; "))",
      hint: failure.hint)
  }

  func bad(_ command: FastbootCommand, _ what: String) -> ConnectionFailure {
    hasFailed = true
    return addingWords(
      to: ConnectionFailure(.badReply, "fastboot \(name): '\(command.text)': \(what)"),
      command.text)
  }

  // MARK: data

  /// Sends a part; the boot loader then holds it until it is flashed or booted.
  func download(
    _ part: SparsePart, of file: ImageFile, until deadline: Deadline,
    sent: (Int64) -> Void
  ) async throws(ConnectionFailure) {
    guard let count = UInt32(exactly: part.byteCount), count > 0 else {
      throw ConnectionFailure(
        .unsupported, "\(file.path): a download of \(part.byteCount) bytes is not possible")
    }
    let command = FastbootCommand.download(count)
    guard case .data(let granted) = try await ask(command, deadline) else {
      throw bad(command, "it does not ask for the data")
    }
    guard granted == count else {
      throw bad(command, "it asks for \(granted) bytes, there are \(count)")
    }
    var reader = PieceReader(part, of: file)
    var buffer = [UInt8](repeating: 0, count: transport.chunk)
    var total: Int64 = 0
    while true {
      let count: Int
      do { count = try reader.fill(&buffer) } catch {
        // The boot loader still waits for the rest.
        hasFailed = true
        throw error
      }
      if count == 0 { break }
      let bytes = buffer[..<count]
      try await carry(command.text) { () async throws(ConnectionFailure) in
        try await self.transport.send(bytes, until: deadline)
      }
      total += Int64(count)
      sent(total)
    }
    guard case .okay = try await answer(to: command, deadline) else {
      throw bad(command, "it asks for data twice")
    }
  }

  /// Takes what the boot loader has put ready, in pieces.
  func upload(
    until deadline: Deadline, into take: ([UInt8]) throws(ConnectionFailure) -> Void
  ) async throws(ConnectionFailure) -> Int64 {
    let command = FastbootCommand.upload
    guard case .data(let announced) = try await ask(command, deadline) else {
      throw bad(command, "it sends no data")
    }
    var left = Int(announced)
    while left > 0 {
      let limit = min(left, transport.chunk)
      let bytes = try await carry(command.text) { () async throws(ConnectionFailure) in
        try await self.transport.receiveData(limit: limit, until: deadline)
      }
      left -= bytes.count
      do { try take(bytes) } catch {
        hasFailed = true
        throw error
      }
    }
    guard case .okay = try await answer(to: command, deadline) else {
      throw bad(command, "it sends data twice")
    }
    return Int64(announced)
  }
}
