import Testing

@testable import KelvinTargets

/// What Android's own tools print, and how they are spoken to.
struct AndroidParserTests {
  private func properties(_ text: String) -> [String: String] {
    PropertyList(Array(text.utf8)).values
  }

  // MARK: Properties

  @Test func readsProperties() {
    #expect(
      properties("[a]: [1]\n[b]: []\n[c.d]: [x]y]\n[e]: [two\nlines]\n[f]: [[g]: [h]]\n") == [
        "a": "1", "b": "", "c.d": "x]y", "e": "two\nlines", "f": "[g]: [h]"
      ])
    #expect(properties("[a]: [1]\r\n[b]: [2]\r\n") == ["a": "1", "b": "2"])
    #expect(properties("") == [:])
  }

  @Test func passesOverWhatIsNoProperty() {
    #expect(
      properties("WARNING: linker\n[a]: [1]\nnoise]\n[b]: [2]\n") == ["a": "1]\nnoise", "b": "2"])
    #expect(properties("[half\n[b]: [2]\n") == ["b": "2"])
    #expect(properties("]: [\n[]\n[[[[\n") == [:])
  }

  @Test func takesNoPropertyThatWasCut() {
    let text = "[a]: [1]\n[name]: [value of it]\n"
    for length in 0..<text.count {
      let found = properties(String(text.prefix(length)))
      #expect(found == (length < 9 ? [:] : ["a": "1"]), "\(length)")
    }
  }

  @Test func survivesAnyByteInAList() {
    let text = Array("[a]: [1]\n[name]: [value]\n[c]: []\n".utf8)
    for index in text.indices {
      for value in [0, 10, 91, 93, 58, 255] as [UInt8] {
        var damaged = text
        damaged[index] = value
        #expect(PropertyList(damaged).values.count <= 3)
      }
    }
  }

  // MARK: Starting

  static let start = """
    Starting: Intent { cmp=com.example.app/.Main }
    Status: ok
    LaunchState: COLD
    Activity: com.example.app/.Main
    TotalTime: 345
    WaitTime: 350
    Complete

    """

  @Test func readsAStart() throws {
    let found = try #require(AppStart(Self.start))
    #expect(found.state == .ok && found.launchState == "COLD")
    #expect(found.activity == "com.example.app/.Main")
    #expect(found.totalTime == 345 && found.waitTime == 350 && found.warning == nil)
  }

  @Test func readsAStartOfAnOlderAndroid() throws {
    let found = try #require(
      AppStart(
        "Starting: Intent { }\r\nWarning: Activity not started, its current task has been brought to "
          + "the front\r\nStatus: timeout\r\nActivity: a/.B\r\nThisTime: 7\r\nTotalTime: 8\r\nWaitTime: "
          + "-1\r\nComplete\r\n"))
    #expect(found.state == .timeout && found.launchState == nil && found.totalTime == 8)
    #expect(found.waitTime == nil)
    #expect(
      found.warning == "Activity not started, its current task has been brought to the front")
  }

  @Test func aStartThatWasCutIsNone() {
    let whole = Self.start.dropLast()
    for length in 0..<whole.count { #expect(AppStart(String(whole.prefix(length))) == nil) }
    #expect(AppStart(String(whole)) != nil)
  }

  @Test(
    arguments: [
      "Starting: Intent { }\nError type 3\nError: Activity class {a/a.B} does not exist.\n",
      "Status: fine\nComplete\n", "Complete\n",
      "Status: ok\nError: Activity not started\nComplete\n"
    ])
  func whatIsNoStart(text: String) {
    #expect(AppStart(text) == nil)
  }

  @Test func writesIntents() {
    let intent = Intent(
      component: "a/.B", action: "VIEW", data: "geo:0,0?q=a b", type: "text/plain",
      categories: ["C", "D"], package: "a", extras: ["z": "1", "k": "v w"])
    #expect(
      intent.words == [
        "-a", "VIEW", "-d", "geo:0,0?q=a b", "-t", "text/plain", "-c", "C", "-c", "D", "--es", "k",
        "v w", "--es", "z", "1", "-n", "a/.B", "-p", "a"
      ])
  }

  // MARK: Input

  /// As AOSP's sendText reads a word: `%s` is a space.
  private func read(_ word: String) -> String {
    var result: [Character] = []
    var isEscape = false
    for character in word {
      if isEscape, character == "s" {
        result[result.count - 1] = " "
        isEscape = false
        continue
      }
      result.append(character)
      isEscape = character == "%"
    }
    return String(result)
  }

  @Test(
    arguments: [
      "hello", "two words", "100%", "%s", "%%s", "% s", "a%sb %s", "%%%sss%",
      "it's \"$HOME\" `x` \\n",
      "-x", "line\nline\ttab\n", "", " ", "%\ns", String(repeating: "long text ", count: 100),
      String(repeating: "%s", count: 300)
    ])
  func typesWhatWasMeant(text: String) throws {
    var typed = ""
    for step in try #require(InputText(text)).steps {
      switch step {
      case .text(let word):
        #expect(!word.contains(" ") && !word.isEmpty && word.count <= 400)
        typed += read(word)
      case .key("KEYCODE_ENTER"): typed += "\n"
      case .key("KEYCODE_TAB"): typed += "\t"
      case .key(let key): Issue.record("\(key)")
      }
    }
    #expect(typed == text)
  }

  @Test(arguments: ["ä", "a\u{0}", "\u{1b}", "日本", "👍", "\r\n"])
  func whatNoKeyTypesIsRefused(text: String) {
    #expect(InputText(text) == nil)
  }

  @Test(
    arguments: [
      ("home", "KEYCODE_HOME"), ("KEYCODE_BACK", "KEYCODE_BACK"),
      ("Volume_Up", "KEYCODE_VOLUME_UP"),
      ("3", "3"), ("0", "0"), ("-1", nil), ("70000", nil), ("", nil), ("a b", nil),
      ("x;reboot", nil),
      ("3d", nil), ("--longpress", nil)
    ] as [(String, String?)])
  func readsKeys(text: String, code: String?) {
    #expect(InputKey(text)?.code == code)
  }

  @Test func readsTheScreensState() {
    #expect(
      ScreenState.wakefulness("  mWakefulnessChanging=false\n  mWakefulness=Dozing\n") == "Dozing")
    #expect(ScreenState.wakefulness("mWakefulness") == nil)
    #expect(ScreenState.isLocked("x\n   isKeyguardShowing=true y=z") == true)
    #expect(ScreenState.isLocked("mShowingLockscreen=false") == false)
    #expect(
      ScreenState.isLocked("isKeyguardShowing=maybe") == nil && ScreenState.isLocked("") == nil)
  }
}
