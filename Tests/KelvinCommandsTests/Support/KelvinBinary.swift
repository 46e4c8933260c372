import Glibc
import KelvinConnections
import KelvinModel

/// The real binary, built beside the test bundle.
enum KelvinBinary {
  static let path: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(
      decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    let directory = own.split(separator: "/").dropLast().joined(separator: "/")
    let beside = "/\(directory)/kelvin"
    if access(beside, X_OK) == 0 { return beside }
    // The bundle may be run by a helper of the toolchain: then from the top of the tree.
    let top = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    return "/\(top)/.build/debug/kelvin"
  }()

  /// Runs kelvin to its end.
  ///
  /// - Parameter environment: added to a clean one without NO_COLOR and user configuration.
  static func run(
    _ arguments: [String], in directory: String, environment: [String: String] = [:],
    seconds: Double = 120
  ) async throws -> Ran {
    let process = try await start(arguments, in: directory, environment: environment)
    let result = try await process.wait(until: .after(seconds: seconds))
    return Ran(result)
  }

  /// Runs a shell script whose `$0` is kelvin.
  static func shell(_ script: String, in directory: String) async throws -> Ran {
    Ran(
      try await LocalConnection().execute(
        Command(
          ["sh", "-c", script, path], environment: ["HOME": directory, "KELVIN_STATE": directory],
          workingDirectory: TargetPath(directory)), until: .after(seconds: 60)))
  }

  /// Starts kelvin.
  static func start(
    _ arguments: [String], in directory: String, environment: [String: String] = [:]
  ) async throws -> any RemoteProcess {
    var variables = [
      "HOME": directory, "XDG_CONFIG_HOME": directory + "/.config",
      "KELVIN_STATE": directory + "/.state", "KELVIN_USER": ""
    ]
    variables.merge(environment) { _, new in new }
    return try await LocalConnection().start(
      Command(
        [path] + arguments, environment: variables, workingDirectory: TargetPath(directory),
        endsDescendants: false),
      until: .after(seconds: 10))
  }
}

/// How a run of the binary ended.
struct Ran {
  let result: CommandResult

  init(_ result: CommandResult) { self.result = result }

  /// The exit code; nil when a signal ended it.
  var code: Int32? {
    if case .exited(let code) = result.termination { code } else { nil }
  }
  var output: String { result.standardOutput.text }
  var errors: String { result.standardError.text }
  var both: String { output + errors }
}

/// A directory that is removed at the end of a test.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/kelvin-cli-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno.current }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    // Nothing here needs the connection's own thread: removal is short.
    var pid = pid_t()
    let argv: [String] = ["rm", "-rf", "--one-file-system", path]
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
    words.append(nil)
    if posix_spawnp(&pid, "rm", nil, nil, words, environ) == 0 { waitpid(pid, nil, 0) }
    for word in words { free(word) }
  }

  /// Writes a file and gives its path.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let file = path + "/" + name
    guard let stream = fopen(file, "w") else { throw Errno.current }
    defer { fclose(stream) }
    guard fputs(text, stream) >= 0 else { throw Errno.current }
    return file
  }

  func read(_ name: String) throws -> String {
    guard let stream = fopen(path + "/" + name, "r") else { throw Errno.current }
    defer { fclose(stream) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&buffer, 1, buffer.count, stream)
      if count == 0 { break }
      text += buffer[..<count]
    }
    return String(decoding: text, as: UTF8.self)
  }

  func exists(_ name: String) -> Bool { access(path + "/" + name, F_OK) == 0 }
}
