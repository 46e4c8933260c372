import Glibc
import KelvinModel
import KelvinSimulators
import Testing

/// Android's settings on a phone that is not there, as a person and as a run change them: each is
/// applied, read back, and as it was in the end.
@Suite(.timeLimit(.minutes(5))) struct AndroidSettingsCommandTests {
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

  private func kelvin(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path, seconds: 90)
  }

  /// What the phone knows of a setting; nil for one that is not set.
  private func stored(_ name: String) -> String? {
    (try? scratch.read("android/state/settings/\(name)"))?.trimmingLineEnd
  }

  private func wakefulness() -> String {
    (try? scratch.read("android/state/wakefulness"))?.trimmingLineEnd ?? "Awake"
  }

  /// All that these tests change.
  private func look() -> [String?] {
    [
      "system/screen_brightness", "system/screen_brightness_mode",
      "system/accelerometer_rotation", "system/user_rotation", "global/airplane_mode_on",
      "global/stay_on_while_plugged_in", "global/window_animation_scale",
      "global/transition_animation_scale", "global/animator_duration_scale", "global/wifi_on",
      "global/bluetooth_on"
    ].map(stored) + [wakefulness()]
  }

  /// What a setting comes to on the phone, by name of what it keeps.
  private static let settings: [(setting: String, stored: [String: String])] = [
    ("brightness=200", ["system/screen_brightness": "200", "system/screen_brightness_mode": "0"]),
    ("auto_brightness=false", ["system/screen_brightness_mode": "0"]),
    ("rotation=LEFT", ["system/user_rotation": "1", "system/accelerometer_rotation": "0"]),
    ("auto_rotation=false", ["system/accelerometer_rotation": "0"]),
    ("stay_awake=true", ["global/stay_on_while_plugged_in": "7"]),
    (
      "animation_scale=0",
      [
        "global/window_animation_scale": "0", "global/transition_animation_scale": "0",
        "global/animator_duration_scale": "0"
      ]
    ),
    // What is off because of it is no less off.
    (
      "airplane_mode=true",
      ["global/airplane_mode_on": "1", "global/wifi_on": "3", "global/bluetooth_on": "2"]
    ),
    ("wifi=false", ["global/wifi_on": "0"]), ("bluetooth=false", ["global/bluetooth_on": "0"])
  ]

  @Test(arguments: settings)
  func aPersonSetsAndRestores(setting: String, stored expected: [String: String]) async throws {
    let before = look()
    let set = try await kelvin("target", "set", "phone", setting)
    #expect(set.code == 0, "\(set.both)")
    for (name, value) in expected { #expect(stored(name) == value, "\(name)") }
    let restored = try await kelvin("target", "restore", "phone")
    #expect(restored.code == 0, "\(restored.both)")
    #expect(look() == before)
    let again = try await kelvin("target", "restore", "phone")
    #expect(again.output == "nothing to put back\n", "\(again.both)")
  }

  @Test func aPersonTurnsTheScreenOffAndOn() async throws {
    let set = try await kelvin("target", "set", "phone", "screen_on=false")
    #expect(set.code == 0 && wakefulness() == "Asleep", "\(set.both)")
    let restored = try await kelvin("target", "restore", "phone")
    #expect(restored.code == 0 && wakefulness() == "Awake", "\(restored.both)")
  }

  /// Before Android 11 connectivity has no such command, and radios listen to a broadcast.
  @Test func anOldAndroidTakesOff() async throws {
    try scratch.write("android/state/properties/ro.build.version.sdk", "28")
    let before = look()
    let set = try await kelvin("target", "set", "phone", "airplane_mode=true")
    #expect(set.code == 0, "\(set.both)")
    #expect(stored("global/airplane_mode_on") == "1" && stored("global/wifi_on") == "3")
    let restored = try await kelvin("target", "restore", "phone")
    #expect(restored.code == 0, "\(restored.both)")
    #expect(look() == before)
  }

  /// A job sees its own, the next one its own, and the phone is as it was.
  @Test func aRunHasThemAndPutsThemBack() async throws {
    let before = look()
    try scratch.write(
      "agenda.yaml",
      """
      config: {augmentations: [execution_time], max_retries: 0}
      sections:
        - id: flight
          runtime_params:
            {brightness: 7, rotation: INVERTED, stay_awake: true, animation_scale: 0.5,
             airplane_mode: true, wifi: true, screen_on: true}
        - {id: ground, runtime_params: {auto_brightness: true, bluetooth: false, screen_on: false}}
        - {id: plain}
      workloads:
        - name: command
          params:
            argv:
              - sh
              - -c
              - >-
                settings get system screen_brightness; settings get system user_rotation;
                settings get global stay_on_while_plugged_in;
                settings get global animator_duration_scale;
                settings get global airplane_mode_on; settings get global wifi_on;
                settings get global bluetooth_on; dumpsys power | grep -o 'mWakefulness=A.*'
      """)
    let ran = try await kelvin("run", "agenda.yaml", "--board", "phone", "-d", "run")
    #expect(ran.code == 0, "\(ran.both)")
    let seen = try (1...3).map { job in
      try scratch.read("run/jobs/000\(job)-command-1/attempt-1/stdout").split(separator: "\n")
        .map(String.init)
    }
    // Wi-Fi is on against airplane mode, Bluetooth off because of it.
    #expect(seen[0] == ["7", "2", "7", "0.5", "1", "2", "2", "mWakefulness=Awake"])
    #expect(seen[1] == ["102", "0", "0", "null", "0", "1", "0", "mWakefulness=Asleep"])
    #expect(seen[2] == ["102", "0", "0", "null", "0", "1", "1", "mWakefulness=Awake"])
    #expect(look() == before)
  }

  @Test func listsWhatAPhoneOffers() async throws {
    let listed = try await kelvin("target", "settings", "phone", "--format", "json")
    let offers = (Value(json: listed.output)?.list ?? []).compactMap(\.map)
    func value(_ name: String) -> String? {
      offers.first { $0["setting"]?.text == name }?["value"]?.text
    }
    #expect(value("brightness") == "102" && value("wifi") == "true", "\(listed.both)")
    #expect(value("stay_awake") == "false" && value("auto_rotation") == "true", "\(listed.both)")
  }
}

extension String {
  fileprivate var trimmingLineEnd: String { hasSuffix("\n") ? String(dropLast()) : self }
}
