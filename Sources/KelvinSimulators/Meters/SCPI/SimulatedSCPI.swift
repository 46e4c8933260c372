internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An instrument's raw socket on a TCP port of 127.0.0.1: a thread for each connection.
///
/// Ends with ``stop()`` or its last reference.
package final class SimulatedSCPI: Sendable {
  package let port: UInt16
  package let instrument: SCPIInstrument
  private let stopping = Interrupt()
  private let thread: NamedThread

  /// Listens.
  ///
  /// - Parameter port: 0: one that is free.
  package init(_ instrument: SCPIInstrument, port: UInt16 = 0) throws(PlainFailure) {
    let (listener, port) = try LoopbackPort.open(port)
    self.port = port
    self.instrument = instrument
    let stopping = stopping
    thread = try NamedThread("scpi-simulator") {
      SimulatedSCPI.accept(listener, instrument, stopping)
    }
  }

  deinit { stop() }

  /// Ends all connections. Idempotent.
  package func stop() {
    stopping.raise()
    thread.join()
  }

  private static func accept(
    _ listener: Int32, _ instrument: SCPIInstrument, _ stopping: Interrupt
  ) {
    let forever = Deadline(time: nil, interrupt: stopping)
    var threads: [NamedThread] = []
    while forever.wait(for: listener) == .ready {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      _ = kelvin_set_nonblocking(client)
      var one: Int32 = 1
      setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
      let thread = try? NamedThread("scpi-client") {
        // An instrument has its own processor.
        _ = kelvin_set_fifo(41)
        let conversation = SCPIConversation(client, instrument, stopping)
        conversation.serve()
        close(client)
      }
      if let thread { threads.append(thread) } else { close(client) }
    }
    close(listener)
    for thread in threads { thread.join() }
  }
}

/// One connection to a simulated instrument, on a thread of its own.
private final class SCPIConversation {
  private let socket: Int32
  private let instrument: SCPIInstrument
  private let stopping: Interrupt
  private var words: SCPIWords
  private var received: [UInt8] = []
  private static let longest = 65_536
  private var isSilent = false
  /// The answer that is kept back, where each is the one to the question before.
  private var shifted: String?

  init(_ socket: Int32, _ instrument: SCPIInstrument, _ stopping: Interrupt) {
    self.socket = socket
    self.instrument = instrument
    self.stopping = stopping
    words = SCPIWords(instrument)
  }

  private var forever: Deadline { Deadline(time: nil, interrupt: stopping) }
  private var faults: SCPIFaults { instrument.faults }

  /// Until the other side hangs up, or a fault cuts it.
  func serve() {
    while let text = line() { guard obey(text) else { return } }
  }

  /// - Returns: false when the connection is to end.
  private func obey(_ text: String) -> Bool {
    var answers: [String] = []
    var hasValues = false
    for part in text.split(separator: ";") {
      guard let line = SCPILine(String(part)) else { continue }
      switch words.obey(line) {
      case .nothing: break
      case .answer(let answer): answers.append(answer)
      case .values(let answer):
        answers.append(answer)
        hasValues = true
      case .block(let bytes):
        let count = "\(bytes.count)"
        return send(Array("#\(count.count)\(count)".utf8) + bytes + [10])
      case .refused(let error):
        instrument.fail(error)
        instrument.change { $0.unknown.append(text) }
      }
    }
    guard !answers.isEmpty else { return true }
    return say(answers.joined(separator: ";"), hasValues)
  }

  private func say(_ text: String, _ hasValues: Bool) -> Bool {
    var text = text
    if hasValues {
      let number = instrument.change { state in
        state.said += 1
        return state.said
      }
      let event =
        faults.events[number]
        ?? (faults.isLasting
          ? faults.events.filter { $0.key < number }.max { $0.key < $1.key }?.value : nil)
      switch event {
      case nil: break
      case .slow(let seconds): pause(seconds)
      case .silent: isSilent = true
      case .twice: text += "\n" + text
      case .wrong: text = "ERROR: busy"
      case .cut:
        _ = send(Array(text.utf8.prefix(text.utf8.count / 2)))
        return false
      case .shift: shifted = shifted ?? "0.0000"
      case .overload: text = "+9.90000000E+37"
      case .notANumber: text = "+9.91000000E+37"
      case .error: instrument.fail("-230,\"Data corrupt or stale\"")
      }
    }
    guard !isSilent else { return true }
    if faults.delay > 0 { pause(faults.delay) }
    if let before = shifted {
      shifted = text
      text = before
    }
    return send(Array((text + "\n").utf8))
  }

  private func pause(_ seconds: Double) {
    _ = Deadline.after(seconds: seconds, interrupt: stopping).wait()
  }

  private func line() -> String? {
    while true {
      if let end = received.firstIndex(of: 10) {
        let text = String(decoding: received[..<end].filter { $0 != 13 }, as: UTF8.self)
        received.removeSubrange(...end)
        return text
      }
      guard received.count < Self.longest, receive() else { return nil }
    }
  }

  private func receive() -> Bool {
    while true {
      guard forever.wait(for: socket) == .ready else { return false }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      guard count > 0 else { return false }
      received += buffer[..<count]
      return true
    }
  }

  private func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let most = min(rest.count, faults.pieces ?? .max)
      let count = rest.prefix(most).withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
        if faults.pieces != nil, !rest.isEmpty { pause(0.001) }
      } else if count < 0, errno == EAGAIN {
        guard forever.wait(for: socket, events: Int16(POLLOUT)) == .ready else { return false }
      } else if count == 0 || errno != EINTR {
        return false
      }
    }
    return true
  }
}
