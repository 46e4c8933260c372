import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections
@testable import KelvinTargets

/// A simulated Android behind a simulated adbd, reached as a real one is.
final class SimulatedPhone: Sendable {
  let directory: Directory
  let android: SimulatedAndroid
  let target: Target
  private let daemon: SimulatedADBD

  init(isOld: Bool = false) throws {
    directory = try Directory()
    android = try SimulatedAndroid(directory: directory.path + "/it's android")
    var settings = isOld ? SimulatedADBD.Settings.old : SimulatedADBD.Settings()
    settings.android = android
    daemon = try SimulatedADBD(settings)
    target = Target(
      name: "phone",
      connection: ADBConnection(
        ADBDirectDevice(
          host: "127.0.0.1", port: daemon.port,
          keys: ADBKeyStore(directory: directory.path + "/keys"))),
      runID: "phone-\(UInt64.random(in: 0...UInt64.max))")
  }

  func state(_ name: String) -> String? {
    (try? LocalFile.read(android.directory + "/state/" + name)).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  func app(_ name: String, code: Int = 1, _ lines: [String] = []) throws -> String {
    try directory.write(
      "\(name)-\(code)-\(lines.count).apk",
      SimulatedAndroid.package(name, code: code, lines: lines))
  }

  /// Runs with a phone, and stops it whatever comes of it.
  static func with(isOld: Bool = false, _ body: (SimulatedPhone) async throws -> Void) async throws
  {
    let phone = try SimulatedPhone(isOld: isOld)
    do {
      try await body(phone)
    } catch {
      await phone.stop()
      throw error
    }
    await phone.stop()
  }

  private func stop() async {
    await target.disconnect(until: soon)
    daemon.stop()
  }
}

/// What a call that must fail says.
func connectionFailure(_ body: () async throws -> Void) async -> ConnectionFailure? {
  do {
    try await body()
    return nil
  } catch {
    return error as? ConnectionFailure
  }
}

/// Apps, properties and the screen, all through adb; the Android behind it is simulated.
@Suite(.timeLimit(.minutes(2))) struct AndroidTests {
  @Test(arguments: [false, true])
  func installsListsStartsAndRemovesAnApp(isOld: Bool) async throws {
    try await SimulatedPhone.with(isOld: isOld) { phone in
      let target = phone.target
      #expect(try await target.packages(until: soon).isEmpty)
      let app = try phone.app(
        "com.example.app", code: 7,
        ["versionName 1.7", "activity .Main", "permission android.permission.CAMERA"])
      try await target.installApp([app], until: soon)
      let installed = try #require(try await target.package(named: "com.example.app", until: soon))
      #expect(installed.versionCode == 7 && installed.version == "1.7")
      #expect(installed.path?.hasSuffix("/base.apk") == true)

      let activity = try await target.launchActivity(of: "com.example.app", until: soon)
      #expect(activity == "com.example.app/.Main")
      let cold = try await target.start(Intent(component: activity), until: soon)
      #expect(cold.state == .ok && cold.launchState == "COLD" && cold.totalTime == 345)
      let again = try await target.start(Intent(component: activity), until: soon)
      #expect(again.warning?.contains("top-most") == true && again.totalTime == 0)
      try await target.stopApp("com.example.app", until: soon)
      #expect(phone.state("running/com.example.app") == nil)

      try await target.grant("CAMERA", to: "com.example.app", until: soon)
      #expect(phone.state("packages/com.example.app/granted") == "android.permission.CAMERA\n")
      try await target.clearApp("com.example.app", until: soon)
      #expect(phone.state("packages/com.example.app/granted") == nil)
      try await target.uninstallApp("com.example.app", until: soon)
      #expect(try await target.package(named: "com.example.app", until: soon) == nil)
      // No APK stays on the target.
      let place = try await target.workingDirectory(until: soon)
      #expect(access(place.string + "/apks", F_OK) != 0)
    }
  }

  /// Code, lines, and the code of pm's that must come.
  @Test(
    arguments: [
      (1, [], "INSTALL_FAILED_VERSION_DOWNGRADE"),
      (9, ["key B"], "INSTALL_FAILED_UPDATE_INCOMPATIBLE"),
      (9, ["testOnly"], "INSTALL_FAILED_TEST_ONLY"), (9, ["minSdk 99"], "INSTALL_FAILED_OLDER_SDK"),
      (9, ["native mips"], "INSTALL_FAILED_NO_MATCHING_ABIS"),
      (9, ["split config.en"], "INSTALL_FAILED_MISSING_SPLIT")
    ] as [(Int, [String], String)])
  func failuresHavePMsOwnCode(code: Int, lines: [String], wanted: String) async throws {
    try await SimulatedPhone.with { phone in
      try await phone.target.installApp([phone.app("com.a", code: 5)], until: soon)
      let other = try phone.app("com.a", code: code, lines)
      let failed = await connectionFailure {
        try await phone.target.installApp([other], until: soon)
      }
      #expect(failed?.code == .refused(wanted), "\(String(describing: failed))")
      #expect(failed?.message.contains(wanted) == true && failed?.hint.isEmpty == false)
      #expect(failed?.evidence.contains("Failure [\(wanted)") == true)
      #expect(try await phone.target.package(named: "com.a", until: soon)?.versionCode == 5)
    }
  }

  @Test func whatIsAllowedIsDone() async throws {
    try await SimulatedPhone.with { phone in
      var how = AppInstallation()
      how.allowsDowngrade = true
      how.allowsTestOnly = true
      how.grantsPermissions = true
      try await phone.target.installApp([phone.app("com.a", code: 5)], until: soon)
      let older = try phone.app("com.a", code: 2, ["testOnly", "permission P"])
      try await phone.target.installApp([older], how, until: soon)
      #expect(try await phone.target.package(named: "com.a", until: soon)?.versionCode == 2)
      #expect(phone.state("packages/com.a/granted") == "P\n")
    }
  }

  @Test func installsAllPartsOfASplitAppOrNone() async throws {
    try await SimulatedPhone.with { phone in
      let base = try phone.app("com.a", code: 3)
      let split = try phone.app("com.a", code: 3, ["split config.en"])
      try await phone.target.installApp([base, split], until: soon)
      #expect(phone.state("packages/com.a/splits")?.contains("config.en") == true)
      #expect(try await phone.target.package(named: "com.a", until: soon)?.versionCode == 3)

      let other = try phone.app("com.b", code: 9, ["split config.en", "key C"])
      let newer = try phone.app("com.a", code: 4)
      let failed = await connectionFailure {
        try await phone.target.installApp([newer, other], until: soon)
      }
      #expect(failed?.code == .refused("INSTALL_FAILED_INVALID_APK"))
      #expect(try await phone.target.package(named: "com.a", until: soon)?.versionCode == 3)
      // The session is given up.
      #expect(LocalFile.names(in: phone.android.directory + "/state/sessions").isEmpty)
    }
  }

  @Test func whatIsNotThereIsNotFound() async throws {
    try await SimulatedPhone.with { phone in
      let target = phone.target
      for call in [
        { try await target.uninstallApp("com.none", until: soon) },
        { try await target.clearApp("com.none", until: soon) },
        { try await target.stopApp("com.none", until: soon) },
        { try await target.grant("CAMERA", to: "com.none", until: soon) },
        { _ = try await target.launchActivity(of: "com.none", until: soon) },
        { _ = try await target.start(Intent(component: "com.none/.Main"), until: soon) },
        { _ = try await target.start(Intent(action: "no.such.ACTION"), until: soon) }
      ] as [() async throws -> Void] {
        #expect(await connectionFailure(call)?.code == .notFound)
      }
      let file = await connectionFailure {
        try await target.installApp(["/no/such.apk"], until: soon)
      }
      #expect(file?.code == .hostFile(.notFound))
      let text = try phone.directory.write("text.apk", "PK no, not at all\n")
      let parsed = await connectionFailure { try await target.installApp([text], until: soon) }
      #expect(parsed?.code == .refused("INSTALL_PARSE_FAILED_NOT_APK"))
      let app = try phone.app("com.a")
      try await target.installApp([app], until: soon)
      let granted = await connectionFailure {
        try await target.grant("CAMERA", to: "com.a", until: soon)
      }
      #expect(granted?.evidence.contains("has not requested permission") == true)
    }
  }

  @Test func startsByAction() async throws {
    try await SimulatedPhone.with { phone in
      let view = "android.intent.action.VIEW"
      try await phone.target.installApp(
        [phone.app("com.maps", ["handles \(view) .Map"])], until: soon)
      let started = try await phone.target.start(
        Intent(action: view, data: "geo:0,0?q=it's $HOME", extras: ["a b": "c d"]), until: soon)
      #expect(started.activity == "com.maps/.Map")
    }
  }

  // MARK: Properties

  @Test func readsAndSetsProperties() async throws {
    try await SimulatedPhone.with { phone in
      let all = try await phone.target.properties(until: soon)
      #expect(all["ro.product.model"] == "Simulated")
      #expect(all["persist.sys.note"]?.hasPrefix("first line\n") == true)
      for value in ["1", "", "it's \"$x\" `y`", "two  blanks ", "-n"] {
        try await phone.target.setProperty("debug.x", to: value, until: soon)
        #expect(try await phone.target.properties(until: soon)["debug.x"] == value)
      }
      for (name, value) in [
        ("ro.product.model", "other"), ("debug.deaf", "1"), ("a/b", "1"),
        ("debug.x", String(repeating: "x", count: 92))
      ] {
        let failed = await connectionFailure {
          try await phone.target.setProperty(name, to: value, until: soon)
        }
        guard case .refused = failed?.code else {
          Issue.record("\(name): \(String(describing: failed))")
          continue
        }
      }
    }
  }

  // MARK: Screen

  @Test func typesTapsAndPresses() async throws {
    try await SimulatedPhone.with { phone in
      let target = phone.target
      let text = "100%s of it's \"$HOME\" `x`\n% s\\"
      try await target.type(text, until: soon)
      #expect(phone.state("typed") == text)
      try await target.tap(ScreenPoint(x: 10, y: 20), until: soon)
      try await target.swipe(
        from: ScreenPoint(x: 1, y: 2), to: ScreenPoint(x: 3, y: 4), milliseconds: 50, until: soon)
      try await target.press(try #require(InputKey("home")), until: soon)
      try await target.press(try #require(InputKey("26")), isLong: true, until: soon)
      #expect(
        phone.state("inputs")?.hasSuffix(
          "tap 10 20\nswipe 1 2 3 4 50\nkeyevent KEYCODE_HOME\nkeyevent --longpress 26\n") == true)
      let unknown = await connectionFailure {
        try await target.press(try #require(InputKey("no_such_key")), until: soon)
      }
      #expect(unknown?.code == .refused("Error: Unknown keycode: KEYCODE_NO_SUCH_KEY"))
      let foreign = await connectionFailure { try await target.type("ä", until: soon) }
      #expect(foreign?.code == .unsupported)
    }
  }

  @Test func wakesAndUnlocks() async throws {
    try await SimulatedPhone.with { phone in
      try await phone.target.press(try #require(InputKey("SLEEP")), until: soon)
      #expect(phone.state("locked") != nil)
      try await phone.target.unlock(until: soon)
      #expect(phone.state("locked") == nil && phone.state("wakefulness") == "Awake\n")
      try await phone.target.press(try #require(InputKey("SLEEP")), until: soon)
      try phone.directory.write("it's android/state/secure", "")
      let failed = await connectionFailure { try await phone.target.unlock(until: soon) }
      #expect(failed?.code == .refused("locked"))
    }
  }

  @Test func takesAPicture() async throws {
    try await SimulatedPhone.with { phone in
      let path = phone.directory.path + "/screen.png"
      let count = try await phone.target.screenshot(to: path, until: soon)
      let bytes = try LocalFile.read(path)
      #expect(bytes.count == count && bytes.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
      let failed = await connectionFailure {
        try await phone.target.screenshot(to: "/no/such/screen.png", until: soon)
      }
      guard case .hostFile = failed?.code else {
        Issue.record("\(String(describing: failed))")
        return
      }
    }
  }

  /// This machine has none of Android's tools.
  @Test(arguments: connectionNames)
  func elsewhereAllThatIsUnsupported(through name: String) async throws {
    let target = Target(name: "pc", connection: makeConnection(name), runID: "pc")
    let app = try Directory()
    let file = try app.write("x.apk", "x")
    for call in [
      { try await target.installApp([file], until: soon) },
      { try await target.screenshot(to: "/tmp/never.png", until: soon) },
      { try await target.tap(ScreenPoint(x: 1, y: 1), until: soon) },
      { _ = try await target.start(Intent(component: "a/.B"), until: soon) },
      { _ = try await target.launchActivity(of: "a", until: soon) },
      { try await target.wake(until: soon) }, { try await target.stopApp("a", until: soon) },
      { try await target.setProperty("a", to: "b", until: soon) }
    ] as [() async throws -> Void] {
      let failed = await connectionFailure(call)
      #expect(failed?.code == .unsupported, "\(String(describing: failed))")
    }
    let properties = try await target.properties(until: soon)
    #expect(
      properties["boot id"]?.count == 36 && properties["uptime"].flatMap { Double($0) } != nil)
    await target.disconnect(until: soon)
  }
}
