import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

/// A simulated console and a directory for what clients need; both go with the last reference.
final class SimulatedConsole: Sendable {
  let simulator: ConsoleSimulator
  let directory: String

  init(
    _ place: Place = .terminal, _ change: (inout ConsoleSimulator.Setup) -> Void = { _ in }
  ) throws {
    var template = Array("/tmp/kelvin-sim-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno.current }
    directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    var setup = ConsoleSimulator.Setup(place.place(in: directory))
    change(&setup)
    simulator = try ConsoleSimulator(setup)
  }

  deinit {
    simulator.end()
    for name in ["console", "socket", "ser2net.yaml"] { unlink(directory + "/" + name) }
    rmdir(directory)
  }

  enum Place: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case terminal, tcp, telnet, socket
    var testDescription: String { rawValue }

    func place(in directory: String) -> ConsolePlace {
      switch self {
      case .terminal: .terminal(link: directory + "/console")
      case .tcp: .tcp(port: 0)
      case .telnet: .telnet(port: 0)
      case .socket: .socket(path: directory + "/socket")
      }
    }
  }

  var port: String { simulator.address.split(separator: ":").last.map(String.init) ?? "" }

  /// Waits for a condition.
  static func eventually(seconds: Double = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Deadline.after(seconds: seconds)
    while !deadline.hasPassed {
      if try condition() { return true }
      _ = Deadline.after(seconds: 0.02).wait()
    }
    return false
  }
}

/// A program of others, and its standard streams on a socket.
final class Client: Sendable {
  let wire: ConsoleWire
  let processID: pid_t

  /// Nil where the program is missing, which is printed.
  static func path(_ program: String) -> String? {
    for directory in ["/usr/bin/", "/usr/sbin/"] where access(directory + program, X_OK) == 0 {
      return directory + program
    }
    print("\(program) is not there; scripts/setup test installs it")
    return nil
  }

  init(_ arguments: [String]) throws {
    var ends: [Int32] = [-1, -1]
    guard
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else { throw Errno.current }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    for stream: Int32 in 0...2 { posix_spawn_file_actions_adddup2(&actions, ends[1], stream) }
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var child = pid_t()
    let status = posix_spawn(&child, arguments[0], &actions, nil, words, environ)
    posix_spawn_file_actions_destroy(&actions)
    close(ends[1])
    guard status == 0 else { throw Errno(status) }
    processID = child
    wire = ConsoleWire(ends[0], name: arguments[0])
  }

  deinit {
    kill(processID, SIGKILL)
    var status: Int32 = 0
    waitpid(processID, &status, 0)
  }

  /// Types until the answer has come: whoever has just connected may be too early.
  func asks(_ text: String, until answer: String) throws -> Bool {
    var shown = ""
    return try SimulatedConsole.eventually {
      try wire.write(Array(text.utf8))
      let piece = try wire.read(count: 100_000, until: .after(seconds: 0.5))
      shown += String(decoding: piece, as: UTF8.self)
      return shown.contains(answer)
    }
  }
}
