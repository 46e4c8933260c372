internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The board's own end of its console: a terminal that a login reads lines from and shells run on.
///
/// Held open, so that the line never hangs up between two programs. Used by one thread.
final class BoardTerminal {
  /// Opened non-blocking: nobody may be there to read what the board says.
  private let descriptor: Int32
  private let fresh: termios
  /// Whether the line has hung up.
  private(set) var isGone = false

  /// Opens a pseudo terminal's slave.
  init(_ path: String) throws(PlainFailure) {
    descriptor = kelvin_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    var settings = termios()
    guard descriptor >= 0, tcgetattr(descriptor, &settings) == 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    fresh = settings
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// As a getty sets it, whatever a program did; what was typed before is lost.
  func reset(echoes: Bool = true) {
    var settings = fresh
    if !echoes { settings.c_lflag &= ~tcflag_t(ECHO) }
    tcsetattr(descriptor, TCSAFLUSH, &settings)
  }

  /// Keys come one by one, unseen, as a boot loader reads them.
  func readKeys() {
    var settings = fresh
    settings.c_lflag &= ~tcflag_t(ECHO | ICANON)
    tcsetattr(descriptor, TCSAFLUSH, &settings)
  }

  /// Says something; newlines become CR LF.
  ///
  /// - Returns: false when the deadline was interrupted before all was said.
  func say(_ text: String, until deadline: Deadline) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EAGAIN, errno != EINTR {
        isGone = true
        return false
      } else if deadline.wait(for: descriptor, events: Int16(POLLOUT)) != .ready {
        return false
      }
    }
    return true
  }

  /// Waits for a line, or for keys after ``readKeys()``.
  ///
  /// - Returns: nil when the deadline passed or was interrupted; an empty one for Ctrl-D.
  func line(until deadline: Deadline) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count >= 0 {
        return String(decoding: buffer[..<count].filter { $0 != 10 }, as: UTF8.self)
      }
      guard errno == EAGAIN || errno == EINTR else {
        isGone = true
        return nil
      }
      guard deadline.wait(for: descriptor) == .ready else { return nil }
    }
  }
}
