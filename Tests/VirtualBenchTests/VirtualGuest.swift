import Foundation
import Glibc
import Testing

/// A guest of the virtual bench that a suite's tests share: started before the first, ended after
/// the last, and ended by itself after 20 minutes, whatever happens to the tests.
struct VirtualGuest: Sendable {
  let name: String
  let folder: String
  /// How its console is reached: a path, or `telnet:HOST:PORT`.
  let console: String
  let startSeconds: Double

  /// The suite's guest.
  @TaskLocal static var current: VirtualGuest?

  /// The checkout.
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// Why no guest can be started here; nil when one can.
  static let obstacle: String? = {
    // Tests also run inside the bench host, which has no room for guests of its own.
    if access("/sys/class/udc/dummy_udc.0", F_OK) == 0 { return "this is the bench host" }
    for program in ["/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system-aarch64", "/usr/bin/ssh"]
    where access(program, X_OK) != 0 {
      return "\(program) is not there; scripts/setup virtual-bench installs it"
    }
    return nil
  }()

  /// Starts one, under a name that no other test process uses.
  ///
  /// - Parameters:
  ///   - use: tells several of one definition apart.
  ///   - options: more of `scripts/virtual-bench start`.
  static func start(
    _ definition: String, for use: String = "", _ options: [String] = []
  ) throws -> VirtualGuest {
    let name = "test-\(definition)\(use)-\(getpid())"
    let started = try script(
      ["start", definition, "--as", name, "--any-port", "--for", "20m"] + options)
    try #require(started.code == 0, "\(started.error)")
    struct Record: Decodable {
      let name: String
      let folder: String
      let console: String
      let start_seconds: Double
    }
    let records = try JSONDecoder().decode(
      [Record].self, from: Data(try script(["status", "--format", "json"]).output.utf8))
    let record = try #require(records.first { $0.name == name })
    return VirtualGuest(
      name: name, folder: record.folder, console: record.console,
      startSeconds: record.start_seconds)
  }

  /// A port of 127.0.0.1 that leads to the guest, as guest.json names it: `ssh_port`, `adb_port`.
  func port(_ name: String) throws -> Int {
    let data = try #require(FileManager.default.contents(atPath: folder + "/guest.json"))
    let record = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    return try #require(record[name] as? Int, "\(name)")
  }

  /// Ends it.
  func stop() { _ = try? VirtualGuest.script(["stop", name]) }

  /// Runs a shell command on it as root.
  @discardableResult
  func run(_ command: String) throws -> String {
    let done = try VirtualGuest.script(["ssh", name, "--", "sh", "-c", command])
    try #require(done.code == 0, "\(command): \(done.error)")
    return done.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Whether a shell command could be run on it, and succeeded; no failure of the test.
  func answers(_ command: String = "true") -> Bool {
    (try? VirtualGuest.script(["ssh", name, "--", "sh", "-c", command]))?.code == 0
  }

  /// Everything that its console has said.
  func consoleLog() -> String {
    let data = FileManager.default.contents(atPath: folder + "/console.log") ?? Data()
    return String(decoding: data, as: UTF8.self)
  }

  /// Waits until a condition holds; a condition, never a sleep, decides how a test goes on. The time is for
  /// a machine that has other things to do: nothing takes longer because of it.
  static func wait(_ what: String, seconds: Double = 150, _ condition: () throws -> Bool) throws {
    let end = Date().addingTimeInterval(seconds)
    while try !condition() {
      try #require(Date() < end, "\(what): not within \(seconds) s")
      usleep(50_000)
    }
  }

  struct Done {
    let code: Int32
    let output: String
    let error: String
  }

  /// Runs scripts/virtual-bench.
  static func script(_ arguments: [String]) throws -> Done {
    try program(root + "/scripts/virtual-bench", arguments)
  }

  /// Runs a program to its end.
  static func program(
    _ path: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Done {
    let process = Process()
    // What does not end is ended, with 124 for its code.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["--kill-after=10", "480", path] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: root)
    // Files, not pipes: a guest that is started must not hold the test's pipe open.
    let base = NSTemporaryDirectory() + "virtual-bench-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    let streams = ["out", "err"].map { "\(base).\($0)" }
    for path in streams { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    defer { for path in streams { unlink(path) } }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: streams[0])
    process.standardError = FileHandle(forWritingAtPath: streams[1])
    try process.run()
    process.waitUntilExit()
    let texts = streams.map {
      String(decoding: FileManager.default.contents(atPath: $0) ?? Data(), as: UTF8.self)
    }
    return Done(code: process.terminationStatus, output: texts[0], error: texts[1])
  }
}

/// Gives a suite a guest.
struct GuestTrait: SuiteTrait, TestScoping {
  let definition: String
  let options: [String]
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    guard VirtualGuest.obstacle == nil else { return try await function() }
    let guest = try VirtualGuest.start(definition, options)
    defer { guest.stop() }
    try await VirtualGuest.$current.withValue(guest, operation: function)
  }
}

extension Trait where Self == GuestTrait {
  /// The suite's tests share one guest of this definition, started with these options.
  static func guest(_ definition: String, _ options: [String] = []) -> GuestTrait {
    GuestTrait(definition: definition, options: options)
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips, with the reason, where no guest can be started.
  static var needsGuests: ConditionTrait {
    .enabled(if: VirtualGuest.obstacle == nil, "\(VirtualGuest.obstacle ?? "")")
  }
}
