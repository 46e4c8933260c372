internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// What a terminal is relayed through.
protocol ADBTerminalLink: AnyObject {
  /// As for a ``ShellLink``.
  func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int
  func closeInput() throws(ConnectionFailure)
  func receive(
    into output: inout [UInt8], error: inout [UInt8]
  ) throws(ConnectionFailure) -> ShellLinkEvent
  func abandon()
  /// To be polled, and for what.
  var awaited: (descriptor: Int32, events: Int16) { get }
  /// Whether something can be received without waiting.
  var hasReceived: Bool { get }
  /// Tells the target's terminal its size, where that can be.
  func resize(_ size: TerminalSize) throws(ConnectionFailure)
}

/// Moves bytes between a user's terminal and a device's.
struct ADBTerminalRelay {
  private let link: any ADBTerminalLink
  private let terminal: UserTerminal
  private var escape: TerminalEscape
  /// Typed, and not sent yet.
  private var typed: [UInt8] = []
  private var isInputOpen = true
  /// What came of the terminal, and what came beside it: adbd's own words, as a terminal has one stream.
  private var hasShown = false
  private var beside: [UInt8] = []
  private var scratch = [UInt8](repeating: 0, count: 65_536)

  init(_ link: any ADBTerminalLink, _ terminal: UserTerminal) {
    self.link = link
    self.terminal = terminal
    escape = TerminalEscape(terminal.isTerminal ? terminal.escape : nil)
  }

  consuming func run(until deadline: Deadline) throws(ConnectionFailure) -> TerminalEnd {
    defer { link.abandon() }
    if terminal.isTerminal { resize() }
    while true {
      if let status = try receive() { return .exited(status) }
      try sendTyped()
      var awaited: [(Int32, Int16)] = [link.awaited, (terminal.resized, Int16(POLLIN))]
      if !typed.isEmpty { awaited[0].1 |= Int16(POLLOUT) }
      // Nothing more is read while the target takes nothing.
      if isInputOpen, typed.isEmpty { awaited.append((terminal.input, Int16(POLLIN))) }
      if !link.hasReceived, deadline.wait(forEither: awaited) != .ready {
        throw ConnectionFailure(deadline.isInterrupted ? .interrupted : .timedOut, "stopped")
      }
      if UserTerminal.isReadable(terminal.resized) {
        var count: UInt64 = 0
        _ = Glibc.read(terminal.resized, &count, 8)
        resize()
      }
      if isInputOpen, typed.isEmpty, UserTerminal.isReadable(terminal.input), try read() {
        return .left
      }
    }
  }

  private func resize() {
    // Of a shell that has ended, or never began, what is received tells how.
    if let size = terminal.size() { try? link.resize(size) }
  }

  /// Takes what was typed.
  ///
  /// - Returns: whether the user leaves.
  private mutating func read() throws(ConnectionFailure) -> Bool {
    let count = scratch.withUnsafeMutableBytes {
      Glibc.read(terminal.input, $0.baseAddress, $0.count)
    }
    if count < 0, errno == EAGAIN || errno == EINTR { return false }
    guard count > 0 else {
      isInputOpen = false
      try link.closeInput()
      return false
    }
    let (bytes, leaves) = escape.take(scratch[..<count])
    typed = bytes
    return leaves
  }

  private mutating func sendTyped() throws(ConnectionFailure) {
    var rest = typed[...]
    while !rest.isEmpty {
      let count: Int
      do {
        count = try link.send(rest)
      } catch {
        // How it ended is told by what is received.
        rest = []
        break
      }
      if count == 0 { break }
      rest = rest.dropFirst(count)
    }
    typed = Array(rest)
  }

  /// Shows what has come; the shell's status at its end.
  private mutating func receive() throws(ConnectionFailure) -> Int32? {
    var (output, error): ([UInt8], [UInt8]) = ([], [])
    let event = try link.receive(into: &output, error: &error)
    try UserTerminal.write(output, to: terminal.output)
    hasShown = hasShown || !output.isEmpty
    if terminal.isTerminal, !hasShown {
      beside += error.prefix(4096 - min(4096, beside.count))
    } else {
      try UserTerminal.write(error, to: terminal.error)
    }
    guard case .ended(let status) = event else { return nil }
    if let status, status != 0, !hasShown, !beside.isEmpty { throw noTerminal }
    guard let status else {
      throw ConnectionFailure(.connectionLost, "the shell ended without an exit status")
    }
    return status
  }
}

extension ADBTerminalRelay {
  /// ReportError() of adbd's shell_service.cpp: what kept it from starting the shell.
  private var noTerminal: ConnectionFailure {
    let words = String(decoding: ConsoleText.visible(beside), as: UTF8.self)
      .split(whereSeparator: \.isNewline).joined(separator: "; ")
    return ConnectionFailure(
      .refused(words), "the device gives no pseudo terminal: \(words)",
      hint: "are all in use ('ls /dev/pts' there)? 'kelvin target exec' needs none")
  }
}

extension UserTerminal {
  fileprivate static func isReadable(_ descriptor: Int32) -> Bool {
    guard descriptor >= 0 else { return false }
    var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&polled, 1, 0) > 0
  }

  /// Writes all; a user who has gone is no target's failure, but ends the use.
  fileprivate static func write(
    _ bytes: [UInt8], to descriptor: Int32
  ) throws(ConnectionFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        _ = Deadline.never.wait(for: descriptor, events: Int16(POLLOUT))
      } else if errno != EINTR {
        throw ConnectionFailure(.interrupted, "the terminal is gone")
      }
    }
  }
}
