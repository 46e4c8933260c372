internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// lrzsz's `sb`, which sends one file by YMODEM on its standard streams.
///
/// Used by one thread. Ended, if it still runs, with the last reference.
final class YModemSender {
  /// What the program is called by lrzsz, and where others have that name.
  private static let names = ["sb", "lsb", "lrzsz-sb"]

  private let process: LocalProcess
  /// How far it is.
  private(set) var meter = YModemMeter()

  /// Where the program is.
  ///
  /// - Throws: `unsupported` when it is not there.
  static func program(
    path: String = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
  ) throws(ConnectionFailure) -> String {
    for name in names {
      if let found = try? ProcessLauncher.find(name, path: path) { return found }
    }
    throw ConnectionFailure(
      .unsupported, "files get into U-Boot by lrzsz's 'sb', which is not there (PATH \(path))",
      hint: "install it: 'apt install lrzsz'")
  }

  /// Starts it; it says nothing before it is asked to.
  init(_ program: String, _ file: String) throws(ConnectionFailure) {
    // A name that begins with a dash is no option.
    let path = file.hasPrefix("/") ? file : "./" + file
    process = try ProcessLauncher(environment: ["LC_ALL": "C"]).start(
      Command([program, "-k", "-q", path], standardInput: .descriptor(-1)))
    for descriptor in [process.streams.output, process.streams.error] {
      _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }
  }

  /// Hands over what the receiver said.
  func take(_ bytes: some Collection<UInt8>) {
    // A few bytes at a time, which a pipe holds; what a sender that has ended does not take, it does
    // not need.
    let bytes = Array(bytes)
    _ = bytes.withUnsafeBytes { write(process.streams.input, $0.baseAddress, $0.count) }
  }

  /// What it sends now.
  enum Output: Sendable, Hashable {
    case bytes([UInt8])
    /// Nothing, before the deadline.
    case nothing
    /// It has ended.
    case end
  }

  /// Waits for what it sends.
  func output(until deadline: Deadline) -> Output {
    var buffer = [UInt8](repeating: 0, count: 8192)
    while true {
      let count = buffer.withUnsafeMutableBytes {
        read(process.streams.output, $0.baseAddress, $0.count)
      }
      if count > 0 {
        meter.append(buffer[..<count])
        return .bytes(Array(buffer[..<count]))
      }
      if count == 0 { return .end }
      if errno == EINTR { continue }
      guard errno == EAGAIN else { return .end }
      guard deadline.wait(for: process.streams.output) == .ready else { return .nothing }
    }
  }

  /// Waits for its end; ends it when it does not come.
  ///
  /// - Returns: whether it has sent all, and what it said.
  func finish() -> (isDone: Bool, words: String) {
    _ = Deadline.after(seconds: 2).wait(for: process.pidfd)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes {
      read(process.streams.error, $0.baseAddress, $0.count)
    }
    let words = ConsoleText.visible(buffer.prefix(max(0, count)))
    let text = String(decoding: words, as: UTF8.self)
      .split { $0.isNewline || $0 == "\r" }.filter { !$0.isEmpty }.joined(separator: "; ")
    return (process.collect() == .exited(0), text)
  }
}
