internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An OpenSSH client that has logged in and carries channels for those who ask at its socket.
///
/// It runs behind a small shell that waits for the end of its input. That end comes when this
/// process closes it or dies, however it dies: then the shell ends the client and removes the
/// directory with the socket.
final class SSHMaster: Sendable {
  private let process: LocalProcess
  let directory: String
  private let name: String
  private let said = Mutex(Said())

  /// What the client has said on standard error; the end of that is the client's own. Standard output
  /// it closes itself once it is logged in.
  private struct Said {
    var bytes: [UInt8] = []
    var hasEnded = false
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }
  private let isClosed = Mutex(false)

  /// Where it is asked for channels.
  var socketPath: String { directory + "/s" }

  /// `$1` is the directory, what follows the client's words.
  private static let watch = """
    trap '' HUP INT QUIT
    kelvin_directory=$1; shift
    "$@" </dev/null &
    exec >/dev/null 2>&1
    IFS= read -r kelvin_line
    kill $!; wait
    rm -f "$kelvin_directory/s" "$kelvin_directory/a"; rmdir "$kelvin_directory"
    """

  /// The client behind its shell.
  static func words(_ options: SSHOptions, directory: String) -> [String] {
    ["sh", "-c", watch, "kelvin-ssh", directory] + options.arguments(socket: directory + "/s")
  }

  /// Logs in.
  ///
  /// - Parameter name: of the connection, for messages.
  init(
    _ options: SSHOptions, name: String, until deadline: Deadline
  ) throws(ConnectionFailure) {
    self.name = name
    let directory = try SSHMaster.makeDirectory()
    self.directory = directory
    var environment = ["LC_ALL": "C"]
    do {
      if let password = options.password {
        try SSHAskPass.write(password, to: directory + "/a")
        // Since OpenSSH 8.4 the second is enough; before, a display had to be set.
        environment["SSH_ASKPASS"] = directory + "/a"
        environment["SSH_ASKPASS_REQUIRE"] = "force"
        environment["DISPLAY"] = getenv("DISPLAY").map { String(cString: $0) } ?? ":0"
      }
      process = try ProcessLauncher(environment: environment).start(
        Command(SSHMaster.words(options, directory: directory), standardInput: .bytes([])))
    } catch {
      SSHMaster.removeDirectory(directory)
      throw error
    }
    for stream in [process.streams.output, process.streams.error] {
      _ = kelvin_set_nonblocking(stream)
    }
    do {
      try waitUntilReady(options, until: deadline)
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  /// Whether the client still runs.
  var isAlive: Bool {
    guard !isClosed.withLock({ $0 }) else { return false }
    takeErrors()
    return said.withLock { !$0.hasEnded }
  }

  /// Why the client ended, in its own words; empty when it said nothing.
  func lastWords() -> String {
    guard !isClosed.withLock({ $0 }) else { return "" }
    takeErrors()
    return said.withLock(\.text).split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
  }

  /// Ends the client and removes its socket; idempotent.
  func close() {
    let isFirst = isClosed.withLock { isClosed in
      defer { isClosed = true }
      return !isClosed
    }
    guard isFirst else { return }
    process.streams.shutInput()
    _ = Deadline.after(seconds: 2).wait(for: process.pidfd)
    // Nothing is left of the tree unless something went wrong.
    process.abandon()
    SSHMaster.removeDirectory(directory)
  }

  private func waitUntilReady(
    _ options: SSHOptions, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var printed: [UInt8] = []
    while true {
      // Errors are read first: what they say belongs to an end that shows on the other stream.
      let wait = deadline.wait(for: process.streams.output)
      takeErrors()
      switch wait {
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      case .passed:
        throw ConnectionFailure(
          .timedOut, "\(name): no connection in time",
          evidence: lastWords())
      case .ready: break
      }
      var hasRead = false
      let isOpen = PipeReader.read(process.streams.output, into: &printed, &hasRead)
      if printed.contains(10) { return }
      guard isOpen else {
        takeErrors()
        throw SSHDiagnosis.failure(said.withLock(\.text), name: name, options: options)
      }
    }
  }

  private func takeErrors() {
    said.withLock { said in
      var hasRead = true
      while hasRead {
        hasRead = false
        guard PipeReader.read(process.streams.error, into: &said.bytes, &hasRead) else {
          said.hasEnded = true
          return
        }
        if said.bytes.count > 1 << 16 { said.bytes.removeFirst(said.bytes.count - 1 << 12) }
      }
    }
  }

  // MARK: The directory

  /// This user's alone, with a path that leaves room for what ssh appends (sockaddr_un holds 108
  /// bytes).
  private static func makeDirectory() throws(ConnectionFailure) -> String {
    var places = ["/tmp"]
    if let runtime = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }),
      runtime.hasPrefix("/"), runtime.utf8.count < 60
    {
      places.insert(runtime, at: 0)
    }
    var error = Errno.notFound
    for place in places {
      var template = Array((place + "/kelvin-ssh-XXXXXX").utf8CString)
      if mkdtemp(&template) != nil {
        return String(
          decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      }
      error = .current
    }
    throw ConnectionFailure(
      .hostFile(error), "\(places.joined(separator: ", ")): no directory for ssh: \(error)")
  }

  private static func removeDirectory(_ directory: String) {
    for file in ["/s", "/a"] { unlink(directory + file) }
    rmdir(directory)
  }
}

/// The program that ssh asks for a password (SSH_ASKPASS in ssh(1)).
enum SSHAskPass {
  /// It holds where the password is, not the password.
  static func write(_ password: PasswordSource, to path: String) throws(ConnectionFailure) {
    do {
      try password.check()
    } catch {
      throw ConnectionFailure(
        .unreachable(.notAdmitted), error.message, evidence: error.evidence, hint: error.hint)
    }
    let print =
      switch password {
      case .environment(let name): "printf '%s\\n' \"$\(name)\""
      case .file(let file):
        "IFS= read -r line <\(ShellWords.quote(file)); printf '%s\\n' \"$line\""
      }
    // Asked for anything else (a host's key, a key's passphrase), it has no answer.
    let script = "#!/bin/sh\ncase $1 in *[Pp]assword*) ;; *) exit 1;; esac\n\(print)\n"
    let descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o700)
    guard descriptor >= 0 else {
      throw ConnectionFailure(.hostFile(.current), "\(path): \(Errno.current)")
    }
    defer { Glibc.close(descriptor) }
    let bytes = Array(script.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw ConnectionFailure(.hostFile(.current), "\(path): \(Errno.current)")
    }
  }
}
