import Glibc
import KelvinConnections
import KelvinModel

@testable import KelvinExecution

extension TemporaryDirectory {
  /// Writes a file with the directories above it; the path may begin with a slash.
  func write(_ content: String, to file: String) throws {
    let full = path + "/" + file
    if let slash = full.lastIndex(of: "/") {
      try HostFile.makeDirectories(String(full[..<slash]))
    }
    try HostFile.write(Array(content.utf8), to: full)
  }
}

/// Runs a program of this machine to its end and gives what it printed on both streams; for judging
/// Kelvin's files by others.
func output(of argv: [String], in directory: String) async throws -> String {
  let result = try await LocalConnection().execute(
    Command(argv, workingDirectory: TargetPath(directory)), until: .after(seconds: 50))
  let text = result.standardOutput.text + result.standardError.text
  guard result.isSuccess else {
    throw PlainFailure(
      .workload, "\(argv[0]) \(result.termination)", evidence: text)
  }
  return text
}

/// Like ``output(of:in:)``, for a deinit, which cannot wait; nobody misses its process when another
/// test's connection takes it for an orphan of its own.
func runToEnd(_ argv: [String], in directory: String) throws -> String {
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else { throw PlainFailure(.infrastructure, "pipe: \(Errno.current)") }
  defer { close(ends[0]) }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
  posix_spawn_file_actions_addclose(&actions, ends[0])
  var arguments = (["env", "-C", directory] + argv).map { strdup($0) } + [nil]
  defer { for argument in arguments { free(argument) } }
  var child = pid_t()
  let status = posix_spawnp(&child, "env", &actions, nil, &arguments, environ)
  close(ends[1])
  guard status == 0 else { throw PlainFailure(.infrastructure, "\(argv[0]): \(Errno(status))") }
  var output: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = read(ends[0], &buffer, buffer.count)
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { break }
    output += buffer[..<count]
  }
  var ending: Int32 = 0
  while waitpid(child, &ending, 0) < 0, errno == EINTR {}
  let text = String(decoding: output, as: UTF8.self)
  guard ending == 0 else {
    throw PlainFailure(.workload, "\(argv[0]) ended with status \(ending)", evidence: text)
  }
  return text
}
