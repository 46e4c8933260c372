public import KelvinConnections
public import KelvinModel

/// A place on the screen, in pixels from its upper left corner.
public struct ScreenPoint: Sendable, Hashable {
  public var x: Int
  public var y: Int

  /// Names a place.
  public init(x: Int, y: Int) {
    self.x = x
    self.y = y
  }
}

extension Target {
  /// Touches the screen for a moment.
  public func tap(_ point: ScreenPoint, until deadline: Deadline) async throws(ConnectionFailure) {
    try await input(["tap", "\(point.x)", "\(point.y)"], until: deadline)
  }

  /// Moves a finger over the screen; with both places the same, a long touch.
  public func swipe(
    from begin: ScreenPoint, to end: ScreenPoint, milliseconds: Int = 300, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await input(
      ["swipe", "\(begin.x)", "\(begin.y)", "\(end.x)", "\(end.y)", "\(max(1, milliseconds))"],
      until: deadline)
  }

  /// Presses a key and lets it go.
  ///
  /// - Parameter isLong: hold it for as long as a long press takes.
  public func press(
    _ key: InputKey, isLong: Bool = false, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await input(["keyevent"] + (isLong ? ["--longpress"] : []) + [key.code], until: deadline)
  }

  /// Types a text into what has the focus: the characters of a US keyboard, line ends and tabs.
  ///
  /// - Throws: `unsupported` for a text with others, before anything is typed.
  public func type(_ text: String, until deadline: Deadline) async throws(ConnectionFailure) {
    guard let typed = InputText(text) else {
      throw ConnectionFailure(
        .unsupported, "\(name): Android's 'input' types ASCII alone",
        hint: "leave out other characters, or paste them by an app of your own")
    }
    for step in typed.steps {
      switch step {
      case .text(let word): try await input(["text", word], until: deadline)
      case .key(let key): try await input(["keyevent", key], until: deadline)
      }
    }
  }

  /// Switches the screen on.
  ///
  /// - Throws: `refused` when it is not awake then.
  public func wake(until deadline: Deadline) async throws(ConnectionFailure) {
    try await input(["keyevent", "KEYCODE_WAKEUP"], until: deadline)
    let result = try await runTool(["dumpsys", "power"], until: deadline)
    guard let state = ScreenState.wakefulness(result.standardOutput.text) else { return }
    guard state == "Awake" else {
      throw ConnectionFailure(
        .refused(state), "\(name): the screen is still off: the device is '\(state)'")
    }
  }

  /// Switches the screen on and takes a lock without a secret away.
  ///
  /// - Throws: `refused` when the lock is still there: it wants a PIN, a pattern or a finger.
  public func unlock(until deadline: Deadline) async throws(ConnectionFailure) {
    try await wake(until: deadline)
    let result = try await runTool(["wm", "dismiss-keyguard"], until: deadline)
    guard result.isSuccess else {
      throw refusal("wm", result, doing: "unlock the screen", hint: "it needs Android 7 or later")
    }
    // The lock goes by an animation.
    let limit = deadline.limited(toSeconds: 3)
    while true {
      let dump = try await runTool(["dumpsys", "window"], until: deadline)
      guard ScreenState.isLocked(dump.standardOutput.text) == true else { return }
      do {
        try pause("locked", until: limit)
      } catch {
        if error.code == .interrupted { throw error }
        throw ConnectionFailure(
          .refused("locked"), "\(name): the screen is still locked",
          hint: "take PIN, pattern and password off in its settings")
      }
    }
  }

  /// What input says of a word that it does not know goes to standard error, or begins with `Error`,
  /// and versions differ in how they end then.
  private func input(
    _ words: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let result = try await runTool(["input"] + words, until: deadline)
    let said = AppReply.text(of: result)
    guard result.isSuccess, !said.contains("Error:"), !said.contains("Exception"),
      !said.contains("Usage:")
    else {
      throw refusal("input", result, doing: "give the input '\(words.joined(separator: " "))'")
    }
  }
}

/// What dumpsys says of the screen.
enum ScreenState {
  /// `Awake`, `Asleep`, `Dozing`, `Dreaming`, in `dumpsys power` (AOSP PowerManagerService.java, dump;
  /// since Android 5). Nil when it does not say.
  static func wakefulness(_ text: String) -> String? {
    value(of: ["mWakefulness"], in: text)
  }

  /// In `dumpsys window`: `isKeyguardShowing` or `mShowingLockscreen`, by version. Nil when it does not
  /// say.
  static func isLocked(_ text: String) -> Bool? {
    value(of: ["isKeyguardShowing", "mKeyguardShowing", "mShowingLockscreen"], in: text)
      .flatMap { Bool($0) }
  }

  private static func value(of names: [String], in text: String) -> String? {
    for word in text.split(whereSeparator: \.isWhitespace) {
      guard let equal = word.firstIndex(of: "="), names.contains(String(word[..<equal])) else {
        continue
      }
      return String(word[word.index(after: equal)...])
    }
    return nil
  }
}
