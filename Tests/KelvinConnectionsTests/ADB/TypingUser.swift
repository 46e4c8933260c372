import CLinux
import Foundation
import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Somebody at a real pseudo terminal, which the relay has as its own.
final class TypingUser: Sendable {
  private let master: Int32
  private let slave: Int32
  private let resized = Doorbell()
  private let seen = Mutex<[UInt8]>([])

  init(rows: Int, columns: Int) throws {
    var name = [CChar](repeating: 0, count: 128)
    master = kelvin_pty(&name, name.count)
    let path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    try #require(master >= 0 && slave >= 0)
    var settings = termios()
    tcgetattr(slave, &settings)
    cfmakeraw(&settings)
    tcsetattr(slave, TCSANOW, &settings)
    kelvin_terminal_resize(master, Int32(rows), Int32(columns))
  }

  deinit {
    close(master)
    close(slave)
  }

  /// Uses a terminal while `body` types and looks, on a thread of its own.
  func use(
    _ terminal: any RelayedTerminal, _ body: @escaping @Sendable (TypingUser) throws -> Void
  ) throws -> TerminalEnd {
    let problem = Mutex<(any Error)?>(nil)
    let typing = try NamedThread("typist") {
      do { try body(self) } catch { problem.withLock { $0 = error } }
    }
    let end = Result {
      try terminal.run(
        on: UserTerminal(
          input: slave, output: slave, error: slave, isTerminal: true, size: { self.size },
          resized: resized.descriptor, type: "vt220"), until: adbSoon(30))
    }
    typing.join()
    if let problem = problem.withLock({ $0 }) { throw problem }
    return try end.get()
  }

  private var size: TerminalSize? {
    var (rows, columns): (Int32, Int32) = (0, 0)
    guard kelvin_terminal_size(slave, &rows, &columns) == 0 else { return nil }
    return TerminalSize(rows: Int(rows), columns: Int(columns))
  }

  func type(_ text: String) { type(Array(text.utf8)) }

  func type(_ bytes: [UInt8]) { _ = write(master, bytes, bytes.count) }

  func resize(rows: Int, columns: Int) {
    kelvin_terminal_resize(master, Int32(rows), Int32(columns))
    resized.ring()
  }

  /// What the terminal has shown.
  var shown: String { String(decoding: seen.withLock { $0 }, as: UTF8.self) }

  /// Waits until the terminal shows this.
  func expect(_ text: String) throws {
    let deadline = adbSoon(20)
    while !shown.contains(text) {
      guard deadline.wait(for: master) == .ready else {
        throw PlainFailure(.timeout, "'\(text)' is not shown, but: \(shown)")
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(master, &buffer, buffer.count)
      if count > 0 { seen.withLock { $0 += buffer[..<count] } }
    }
  }
}
