import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

/// `kelvin target` on an Android that is not there, and on this machine, as a user calls it.
@Suite(.timeLimit(.minutes(3))) struct TargetAndroidCommandTests {
  let scratch: Scratch
  private let daemon: SimulatedADBD

  init() throws {
    scratch = try Scratch()
    var settings = SimulatedADBD.Settings()
    settings.android = try SimulatedAndroid(directory: scratch.path + "/android")
    daemon = try SimulatedADBD(settings)
    try scratch.write(
      "bench.yaml",
      """
      boards:
        phone:
          profile: generic-android
          connection: {adb: {tcp: '127.0.0.1:\(daemon.port)'}}
      """)
  }

  private func target(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(
      ["target"] + arguments, in: scratch.path, seconds: 60)
  }

  @Test func anAppComesStartsAndGoes() async throws {
    try scratch.write(
      "app.apk",
      SimulatedAndroid.package(
        "com.example.app", code: 3,
        lines: ["versionName 1.3", "activity .Main", "permission android.permission.CAMERA"]))
    let installed = try await target("install", "phone", "app.apk")
    #expect(installed.code == 0, "\(installed.both)")
    let listed = try await target("packages", "phone", "com.example.app", "--format", "json")
    let app = try #require(Value(json: listed.output)?.list?.first?.map)
    #expect(app["version_code"]?.integer == 3 && app["version"]?.text == "1.3")
    let started = try await target(
      "start", "phone", "com.example.app", "--cold", "--clear", "--grant", "CAMERA", "--format",
      "json")
    let start = try #require(Value(json: started.output)?.map, "\(started.both)")
    #expect(start["total_ms"]?.integer == 345 && start["launch_state"]?.text == "COLD")

    try scratch.write("old.apk", SimulatedAndroid.package("com.example.app", code: 2))
    let refused = try await target("install", "phone", "old.apk")
    #expect(refused.code != 0 && refused.errors.contains("INSTALL_FAILED_VERSION_DOWNGRADE"))
    #expect(refused.errors.contains("--downgrade"))
    #expect(try await target("stop", "phone", "com.example.app").code == 0)
    #expect(try await target("uninstall", "phone", "com.example.app").code == 0)
    #expect(try await target("packages", "phone", "com.example.app").code == 1)
  }

  @Test func screenKeysAndProperties() async throws {
    let picture = try await target("screenshot", "phone", "screen.png")
    #expect(picture.code == 0, "\(picture.both)")
    #expect(access(scratch.path + "/screen.png", R_OK) == 0)
    #expect(try await target("input", "phone", "tap", "5", "6").code == 0)
    #expect(try await target("input", "phone", "text", "two words").code == 0)
    #expect(try await target("input", "phone", "key", "no key").code == 2)
    #expect(try scratch.read("android/state/typed") == "two words")
    #expect(try await target("property", "phone", "debug.x", "a b").code == 0)
    #expect(try await target("property", "phone", "debug.x").output == "a b\n")
    let unknown = try await target("property", "phone", "ro.product.modell")
    #expect(unknown.code != 0 && unknown.errors.contains("ro.product.model"))
    let all = try await target("property", "phone", "--format", "json")
    #expect(Value(json: all.output)?.map?["persist.sys.note"]?.text?.contains("\n") == true)
  }

  @Test func followsALogForAWhile() async throws {
    let log = try await target("log", "phone", "--lines", "1", "--for", "1 s")
    #expect(log.code == 0, "\(log.both)")
    #expect(log.output.contains("SimulatedAndroid: second"))
    #expect(!log.output.contains("first"))
  }

  @Test(arguments: ["local", "local-shell", "phone"])
  func listsAndEndsProcesses(board: String) async throws {
    let name = "sleeper-\(UInt32.random(in: 0...UInt32.max))"
    let other = try await LocalConnection().start(
      Command(["sh", "-c", "sleep 300; :", name]), until: .after(seconds: 5))
    let listed = try await target("processes", board, "*\(name)*", "--format", "json")
    let found = try #require(Value(json: listed.output)?.list, "\(listed.both)")
    #expect(found.contains { $0.map?["pid"]?.integer == Int64(other.processID) })
    let ended = try await target("processes", board, "sh -c sleep 300; : \(name)*", "--end")
    #expect(ended.code == 0, "\(ended.both)")
    let result = try await other.wait(until: .after(seconds: 20))
    #expect(result.termination == .signaled(SIGTERM))
    #expect(try await target("processes", board, "no-such-process-\(name)").code == 1)
    #expect(try await target("processes", board, "--end").code == 2)
  }
}
