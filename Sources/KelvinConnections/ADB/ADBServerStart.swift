internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Starts an adb server by the adb tool.
///
/// Not by its `start-server`, which ends a server of another version that came up in the meantime:
/// the server part itself is run, which gives up when the port is taken. It says "OK" on a descriptor
/// as soon as it listens (AOSP client/main.cpp, --reply-fd).
enum ADBServerStart {
  // The substitution ends when the server closes descriptor 3: after its word, or by ending. The
  // server belongs to no run and to no command, and says so.
  private static let script = """
    unset KELVIN_RUN; export KELVIN_COMMAND=adb-server
    command -v adb >/dev/null || { echo missing; exit; }
    adb -P "$1" fork-server server --reply-fd 3 3>&1 >/dev/null 2>&1 </dev/null &
    """

  /// Returns when a server listens, ours or another's, or when none could be started: connecting
  /// tells.
  static func run(port: UInt16, until deadline: Deadline) throws(ConnectionFailure) {
    let name = "adb server 127.0.0.1:\(port)"
    var ends: [Int32] = [-1, -1]
    guard kelvin_pipe(&ends) == 0 else {
      throw ConnectionFailure(.system(.current), "\(name): no pipe: \(Errno.current)")
    }
    defer { close(ends[0]) }
    let processID: Int32
    do {
      defer { close(ends[1]) }
      processID = try spawn(["sh", "-c", script, "sh", "\(port)"], output: ends[1], name)
    }
    let stream = ADBStream(dup(ends[0]), name: name)
    defer { stream.close() }
    let reply = try stream.readToEnd(limit: 4096, until: deadline)
    var (status, time, memory) = (Int32(0), Int64(0), Int64(0))
    _ = kelvin_reap(processID, 0, &status, &time, &memory)
    guard reply == Array("missing\n".utf8) else { return }
    throw ConnectionFailure(
      .notFound, "\(name): none listens, and there is no adb to start one",
      hint: "install adb (Debian: 'apt-get install adb'), or reach the board directly, with "
        + "'adb: {tcp: HOST:PORT}' or 'adb: {usb: ...}' in the bench file")
  }

  private static func spawn(
    _ argv: [String], output: Int32, _ name: String
  ) throws(ConnectionFailure) -> Int32 {
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var processID: pid_t = 0
    let status = kelvin_spawn(
      "/bin/sh", words, kelvin_environment(), "/", -1, output, -1, &processID)
    guard status == 0 else {
      throw ConnectionFailure(
        .system(Errno(status)), "\(name): cannot be started: \(Errno(status))")
    }
    return processID
  }
}
