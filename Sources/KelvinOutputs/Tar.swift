internal import Glibc
internal import KelvinModel

/// Runs the system's tar and waits for it.
///
/// What it says goes through a file `messages`, which is deleted again.
/// - Throws: ``OutputFailure`` that names `path`, with what tar said.
func tar(_ arguments: [String], path: String, messages: String) throws(OutputFailure) {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, messages, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  var words: [UnsafeMutablePointer<CChar>?] = (["tar"] + arguments).map { strdup($0) }
  words.append(nil)
  defer { words.forEach { free($0) } }
  var process: pid_t = 0
  let error = posix_spawnp(&process, "tar", &actions, nil, words, environ)
  defer { unlink(messages) }
  guard error == 0 else {
    throw OutputFailure(
      .configuration, path: path, "tar could not be started", evidence: "\(Errno(error))",
      hint: "install it: apt install tar gzip")
  }
  var status: Int32 = 0
  while waitpid(process, &status, 0) < 0 {
    guard errno == EINTR else {
      throw OutputFailure(
        .internal, path: path, "tar's exit code was lost", evidence: "\(Errno(errno))")
    }
  }
  // 1 means that a file changed while it was read, as logs do.
  let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -1
  guard code == 0 || code == 1 else {
    throw OutputFailure(
      path: path, "tar failed", evidence: firstLines(of: messages).cut(500),
      hint: "free space there, or leave the output 'targz' out")
  }
}

private func firstLines(of path: String) -> String {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return "" }
  defer { close(descriptor) }
  var buffer = [UInt8](repeating: 0, count: 1000)
  let count = read(descriptor, &buffer, buffer.count)
  return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
}
