internal import KelvinConnections
internal import KelvinModel

/// Android's own settings, through its `settings`, `svc`, `cmd` and `input`.
///
/// Sources: Android's Settings.System and Settings.Global (android.provider), `svc help`, `input`;
/// WifiSettingsStore.java and BluetoothManagerService.java for what the radios' settings mean.
struct AndroidSettings: SettingFamily {
  private static let note = "simulated Android only"

  static let declarations: [SettingDeclaration] = [
    .init(
      "brightness", .integer, range: 0...255, group: "android", verified: note,
      "The screen's brightness; switches the automatic one off."),
    .init(
      "auto_brightness", .boolean, group: "android", verified: note,
      "Whether brightness follows the light."),
    .init(
      "airplane_mode", .boolean, group: "android", verified: note, "Whether all radios are off."),
    .init(
      "rotation", .choice(["NATURAL", "LEFT", "INVERTED", "RIGHT"]), group: "android",
      verified: note, "How the screen is turned; switches the automatic rotation off."),
    .init(
      "auto_rotation", .boolean, group: "android", verified: note,
      "Whether the screen turns by itself."),
    .init("screen_on", .boolean, group: "android", verified: note, "Whether the screen is on."),
    .init(
      "unlock_screen", .choice(["vertical", "horizontal", "diagonal"]), group: "android",
      verified: note, "Unlocks a screen that has no password, by a swipe that way. Not undone."),
    .init(
      "stay_awake", .boolean, aliases: ["stay_on"], group: "android", verified: note,
      "Whether the screen stays on while power is plugged in."),
    .init(
      "animation_scale", .number, aliases: ["animation_scales"], range: 0...10, group: "android",
      verified: note, "Speed of all animations; 0 is none."),
    .init("wifi", .boolean, group: "android", verified: note, "Whether Wi-Fi is on."),
    .init("bluetooth", .boolean, group: "android", verified: note, "Whether Bluetooth is on.")
  ]

  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] {
    func value(_ name: String) -> Value? { settings.first { $0.name.base == name }?.value }
    var problems: [SettingVocabulary.Problem] = []
    if value("brightness") != nil, value("auto_brightness")?.boolean == true {
      problems.append(.init("brightness", "excludes 'auto_brightness: true'"))
    }
    if value("rotation") != nil, value("auto_rotation")?.boolean == true {
      problems.append(.init("rotation", "excludes 'auto_rotation: true'"))
    }
    if value("unlock_screen") != nil, value("screen_on")?.boolean == false {
      problems.append(.init("unlock_screen", "a screen that is off cannot be unlocked"))
    }
    return problems
  }

  var isAndroid: Bool
  /// `system screen_brightness` and the like.
  var values: [String: String]

  private static let read = [
    "system screen_brightness", "system screen_brightness_mode", "system accelerometer_rotation",
    "system user_rotation", "global airplane_mode_on", "global stay_on_while_plugged_in",
    "global window_animation_scale", "global wifi_on", "global bluetooth_on"
  ]

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> AndroidSettings {
    let script =
      "command -v settings >/dev/null && [ \"$(getprop ro.build.version.sdk)\" ] || exit 1\n"
      + read.map { "settings get \($0)" }.joined(separator: "\n")
    guard let output = try await board.output(of: script, until: deadline) else {
      return AndroidSettings(isAndroid: false, values: [:])
    }
    let lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    return AndroidSettings(
      isAndroid: true, values: Dictionary(zip(read, lines), uniquingKeysWith: { first, _ in first })
    )
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings {
      guard AndroidSettings.declarations.contains(where: { $0.name == setting.name.base }) else {
        continue
      }
      let name = setting.name.description
      guard isAndroid else {
        throw SettingFailure(.notOffered, "\(name): the board does not run Android")
      }
      wishes += points(setting.name.base, setting.value).map {
        SettingWish($0.point, $0.value, setting: name)
      }
      guard setting.name.base == "airplane_mode" else { continue }
      // It moves the radios: what they were before it is known only now, and is put back with it.
      for radio in ["bluetooth", "wifi"] where !settings.contains(where: { $0.name.base == radio })
      {
        let isOn = setting.value.boolean != true && comesBack(radio)
        wishes += points(radio, .boolean(isOn)).map {
          SettingWish($0.point, $0.value, setting: name)
        }
      }
    }
    return wishes
  }

  /// Whether a radio is on when airplane mode is off: what is off because of it is on again.
  private func comesBack(_ radio: String) -> Bool {
    !["0", "null", nil].contains(values["global \(radio)_on"])
  }

  private func points(_ name: String, _ value: Value) -> [(point: SettingPoint, value: String)] {
    func stored(_ key: String, _ value: String) -> (point: SettingPoint, value: String) {
      (
        SettingPoint(
          commands: "settings \(key)", key.words[1], .number, read: "settings get \(key)",
          write: "case $1 in null) settings delete \(key);; *) settings put \(key) \"$1\";; esac"),
        value
      )
    }
    let flag = value.boolean == true ? "1" : "0"
    switch name {
    case "brightness":
      return [
        stored("system screen_brightness_mode", "0"),
        stored("system screen_brightness", "\(value.integer ?? 127)")
      ]
    case "auto_brightness": return [stored("system screen_brightness_mode", flag)]
    case "rotation":
      let turn = ["NATURAL", "LEFT", "INVERTED", "RIGHT"].firstIndex(of: value.text ?? "") ?? 0
      return [
        stored("system accelerometer_rotation", "0"), stored("system user_rotation", "\(turn)")
      ]
    case "auto_rotation": return [stored("system accelerometer_rotation", flag)]
    case "stay_awake":
      // AC 1, USB 2, wireless 4.
      return [
        stored("global stay_on_while_plugged_in", value.boolean == true ? "7" : "0")
      ]
    case "animation_scale":
      return ["window_animation_scale", "transition_animation_scale", "animator_duration_scale"]
        .map { stored("global \($0)", FileSettings.text(value)) }
    case "airplane_mode":
      // The broadcast is what radios of old versions listen to.
      return [
        (
          SettingPoint(
            commands: "airplane mode", "airplane mode", .number,
            read: "settings get global airplane_mode_on",
            // Where connectivity has no such command, that is no failure of `cmd` (Binder.java).
            write: """
              case $1 in 1) e=enable b=true;; *) e=disable b=false;; esac; \
              cmd connectivity airplane-mode $e >/dev/null 2>&1; \
              [ "$(settings get global airplane_mode_on)" = "$1" ] || \
              { settings put global airplane_mode_on "$1"; \
              am broadcast -a android.intent.action.AIRPLANE_MODE --ez state $b; }
              """), flag
        )
      ]
    case "wifi", "bluetooth":
      // Wi-Fi: 2 is on against airplane mode, 3 off because of it. Bluetooth: 2 is off because of it.
      let on = name == "wifi" ? "1|2" : "1"
      let read = "case $(settings get global \(name)_on) in \(on)) echo 1;; *) echo 0;; esac"
      return [
        (
          SettingPoint(
            commands: name, name, .number, read: read,
            write: AndroidSettings.settled(
              "case $1 in 0) svc \(name) disable;; *) svc \(name) enable;; esac", read)), flag
        )
      ]
    case "screen_on":
      let read = "dumpsys power | grep -q mWakefulness=Awake && echo 1 || echo 0"
      return [
        (
          SettingPoint(
            commands: "screen", "screen", .number, read: read,
            write: AndroidSettings.settled(
              "case $1 in 1) input keyevent KEYCODE_WAKEUP;; *) input keyevent KEYCODE_SLEEP;; esac",
              read)), flag
        )
      ]
    case "unlock_screen":
      let (from, to) =
        switch value.text {
        case "horizontal": ("$((w / 8)) $((h / 2))", "$((w * 7 / 8)) $((h / 2))")
        case "diagonal": ("$((w / 8)) $((h * 7 / 8))", "$((w * 7 / 8)) $((h / 8))")
        default: ("$((w / 2)) $((h * 7 / 8))", "$((w / 2)) $((h / 8))")
        }
      return [
        (
          SettingPoint(
            commands: "lock", "lock of the screen",
            read: "dumpsys window | grep -q -e mDreamingLockscreen=true -e isKeyguardShowing=true "
              + "&& echo locked || echo unlocked",
            write:
              "[ \"$1\" = unlocked ] || exit 0; s=$(wm size | sed -n 's/.*: //p' | tail -n 1); "
              + "w=${s%x*} h=${s#*x}; input swipe \(from) \(to)"), "unlocked"
        )
      ]
    default: return []
    }
  }

  /// A command that tells a service, and then waits until it shows what was said, for 5 s at most: services
  /// work on threads of their own.
  private static func settled(_ command: String, _ read: String) -> String {
    "\(command)\nk_i=0; while [ $k_i -lt 50 ] && [ \"$(\(read))\" != \"$1\" ]; do "
      + "sleep 0.1; k_i=$((k_i + 1)); done"
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    guard isAndroid else { return [] }
    func value(_ key: String) -> String? { values[key] }
    func flag(_ key: String) -> String? {
      values[key].map { ["0", "null"].contains($0) ? "false" : "true" }
    }
    func radio(_ key: String, _ on: Set<String>) -> String? {
      values[key].map { on.contains($0) ? "true" : "false" }
    }
    return [
      SettingOffer(
        "brightness", value: value("system screen_brightness"), range: "0 to 255",
        source: "settings system screen_brightness"),
      SettingOffer(
        "auto_brightness", value: flag("system screen_brightness_mode"), range: "true, false",
        source: "settings system screen_brightness_mode"),
      SettingOffer(
        "airplane_mode", value: flag("global airplane_mode_on"), range: "true, false",
        source: "settings global airplane_mode_on"),
      SettingOffer(
        "auto_rotation", value: flag("system accelerometer_rotation"), range: "true, false",
        source: "settings system accelerometer_rotation"),
      SettingOffer(
        "stay_awake", value: flag("global stay_on_while_plugged_in"), range: "true, false",
        source: "settings global stay_on_while_plugged_in"),
      SettingOffer(
        "animation_scale", value: value("global window_animation_scale"), range: "0 to 10",
        source: "settings global window_animation_scale"),
      SettingOffer(
        "wifi", value: radio("global wifi_on", ["1", "2"]), range: "true, false",
        source: "svc wifi"),
      SettingOffer(
        "bluetooth", value: radio("global bluetooth_on", ["1"]), range: "true, false",
        source: "svc bluetooth")
    ]
  }
}
