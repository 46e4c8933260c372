import Foundation
import Glibc
import KelvinModel
import Testing

/// The built kelvin on the bench host.
extension VirtualGuest {
  private static var binary: String { root + "/.build/debug/kelvin" }

  /// Runs a shell command there as root.
  @discardableResult
  func execute(_ command: String) throws -> String {
    let done = try VirtualGuest.script(["exec", "--guest", name, "--", "bash", "-c", command])
    try #require(done.code == 0, "\(command): \(done.error)\(done.output)")
    return done.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Runs kelvin there.
  ///
  /// - Parameters:
  ///   - user: words that start it as another user.
  ///   - text: the bench file.
  func kelvin(
    _ arguments: [String], as user: [String] = [], bench text: String? = nil
  ) throws -> Done {
    var arguments = arguments
    if let text {
      try text.write(toFile: folder + "/share/bench.yaml", atomically: true, encoding: .utf8)
      arguments += ["--bench", "/mnt/share/bench.yaml"]
    }
    return try VirtualGuest.script(
      execWords(state: user.isEmpty ? "state" : "state-of-user") + user + [Self.binary] + arguments)
  }

  /// As ``kelvin(_:as:bench:)``, which must succeed; what it prints.
  @discardableResult
  func kelvinSucceeds(_ arguments: [String], bench text: String? = nil) throws -> String {
    let done = try kelvin(arguments, bench: text)
    try #require(done.code == 0, "kelvin \(arguments): \(done.error)\(done.output)")
    return done.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// What `kelvin bench scan` finds of a kind.
  func scan(_ kind: String) throws -> [[String: Value]] {
    let text = try kelvinSucceeds(["bench", "scan", "--format", "json"])
    return try #require(Value(json: text)?.list, "\(text)").compactMap(\.map)
      .filter { $0["kind"]?.text == kind }
  }

  fileprivate func execWords(state: String) -> [String] {
    [
      "exec", "--guest", name, "--env", "KELVIN_STATE=/tmp/\(state)", "--env",
      "XDG_STATE_HOME=/tmp/\(state)", "--env", "XDG_RUNTIME_DIR=/tmp/\(state)", "--"
    ]
  }

  /// Starts `kelvin bench watch` there, and returns when it watches.
  func watch() throws -> GuestWatch {
    // Its number first, so that it can be interrupted there.
    let command = "echo $$ >&2; exec \(Self.binary) bench watch --format json --for '10 min'"
    return try GuestWatch(self, execWords(state: "state") + ["sh", "-c", command])
  }
}

/// A `kelvin bench watch` on the bench host.
final class GuestWatch {
  private let guest: VirtualGuest
  private let process = Process()
  private let base = NSTemporaryDirectory() + "watch-\(getpid())-\(UInt32.random(in: 0 ... .max))"
  private var seen = 0

  fileprivate init(_ guest: VirtualGuest, _ words: [String]) throws {
    self.guest = guest
    process.executableURL = URL(fileURLWithPath: VirtualGuest.root + "/scripts/virtual-bench")
    process.arguments = words
    process.currentDirectoryURL = URL(fileURLWithPath: VirtualGuest.root)
    for end in [".out", ".err"] {
      _ = FileManager.default.createFile(atPath: base + end, contents: nil)
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: base + ".out")
    process.standardError = FileHandle(forWritingAtPath: base + ".err")
    try process.run()
    try VirtualGuest.wait("kelvin bench watch watches") {
      self.text(".err").contains("watching events of udev")
    }
  }

  deinit {
    if process.isRunning { process.terminate() }
    for end in [".out", ".err"] { unlink(base + end) }
  }

  private func text(_ end: String) -> String {
    String(decoding: FileManager.default.contents(atPath: base + end) ?? Data(), as: UTF8.self)
  }

  /// All events so far.
  func events() throws -> [[String: Value]] {
    // The last line may be half there.
    let text = text(".out")
    let lines = text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1)
    return try lines.map { try #require(Value(json: String($0))?.map, "\($0)") }
  }

  /// The next event of a device's part, after those that were waited for.
  func next(
    _ action: String, _ role: String, serial: String? = nil
  ) throws -> [String: Value] {
    var found: [String: Value]?
    try VirtualGuest.wait("\(role) \(serial ?? "") \(action); \(text(".out"))\(text(".err"))") {
      for (index, event) in try events().enumerated().dropFirst(seen)
      where event["action"]?.text == action && event["role"]?.text == role
        && (serial == nil || event["serial-number"]?.text == serial)
      {
        seen = index + 1
        found = event
        return true
      }
      return false
    }
    return try #require(found)
  }

  /// What the events leave: syspaths of what came and stayed.
  func remaining() throws -> Set<String> {
    var paths: Set<String> = []
    for event in try events() {
      guard let path = event["syspath"]?.text else { continue }
      if event["action"]?.text == "vanished" { paths.remove(path) } else { paths.insert(path) }
    }
    return paths
  }

  /// Interrupts it, as Ctrl-C does; it ends at once.
  func interrupt() throws {
    let number = try #require(text(".err").split(separator: "\n").first.flatMap { Int($0) })
    _ = try guest.execute("kill -INT \(number)")
    try VirtualGuest.wait("the watch ends") { !self.process.isRunning }
  }
}
