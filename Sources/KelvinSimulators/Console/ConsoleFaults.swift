/// What is wrong with a simulated console, as it is written on a command line.
package struct ConsoleFaults: Sendable {
  /// Those of the line.
  package var line = LineFaults()
  /// The terminal, port or socket goes away once, after so many bytes, and comes back.
  package var vanishAfter: LineFaults.Interruption?
  package var neverBoots = false
  /// How many boots end in a panic.
  package var panics = 0
  package var asksTwice = false
  /// What the shell's prompt is, where it is an odd one.
  package var prompt: String?
  package var saysPrompts = false

  package init() {}

  /// What ``add(_:)`` takes.
  package static let help = """
    noise=LINES_PER_SECOND, prompt-noise=LINES_PER_SECOND (prompts and logins among them), lost=SHARE, \
    doubled=SHARE, changed=SHARE (of the bytes, each way), seed=NUMBER, delay=SECONDS, stall=BYTES \
    (nothing passes once the board has said so many), cut=BYTES:SECONDS (nothing passes for a while), \
    vanish=BYTES:SECONDS (the terminal, port or socket goes and comes back), no-boot (silence for \
    ever), panic or panic=TIMES (boots that end so), login-twice, long-prompt (1000 characters), \
    color-prompt
    """

  /// Adds a fault as it is written on a command line.
  ///
  /// - Returns: false when there is no such fault.
  package mutating func add(_ text: String) -> Bool {
    let sides = text.split(separator: "=", maxSplits: 1).map(String.init)
    let value = sides.count == 2 ? sides[1] : nil
    switch (sides.first, value) {
    case ("noise", let value?): return setNoise(value)
    case ("prompt-noise", let value?):
      saysPrompts = true
      return setNoise(value)
    case ("lost", let value?): return set(\.line.lost, Self.share(value))
    case ("doubled", let value?): return set(\.line.doubled, Self.share(value))
    case ("changed", let value?): return set(\.line.changed, Self.share(value))
    case ("seed", let value?): return set(\.line.seed, UInt64(value))
    case ("delay", let value?): return set(\.line.delaySeconds, Self.seconds(value))
    case ("stall", let value?): return set(\.line.stallAfter, Self.bytes(value))
    case ("cut", let value?): return set(\.line.cutAfter, Self.interruption(value))
    case ("vanish", let value?): return set(\.vanishAfter, Self.interruption(value))
    case ("panic", let value?): return set(\.panics, Self.bytes(value))
    case ("panic", nil): panics = .max
    case ("no-boot", nil): neverBoots = true
    case ("login-twice", nil): asksTwice = true
    case ("long-prompt", nil): prompt = String(repeating: "long prompt ", count: 83) + "# # "
    case ("color-prompt", nil):
      prompt = "\u{1B}[01;32mroot@board\u{1B}[00m:\u{1B}[01;34m~\u{1B}[00m# "
    default: return false
    }
    return true
  }

  private mutating func setNoise(_ text: String) -> Bool {
    guard let rate = Double(text), (0...10_000).contains(rate) else { return false }
    line.noisePerSecond = rate
    return true
  }

  private static func share(_ text: String) -> Double? {
    Double(text).flatMap { (0...1).contains($0) ? $0 : nil }
  }

  static func seconds(_ text: some StringProtocol) -> Double? {
    Double(text).flatMap { (0...1e6).contains($0) ? $0 : nil }
  }

  private static func bytes(_ text: some StringProtocol) -> Int? {
    Int(text).flatMap { $0 >= 0 ? $0 : nil }
  }

  private static func interruption(_ text: String) -> LineFaults.Interruption? {
    let words = text.split(separator: ":", omittingEmptySubsequences: false)
    guard words.count == 2, let bytes = bytes(words[0]), let seconds = seconds(words[1]) else {
      return nil
    }
    return LineFaults.Interruption(bytes: bytes, seconds: seconds)
  }

  private mutating func set<Value>(
    _ path: WritableKeyPath<ConsoleFaults, Value>, _ value: Value?
  ) -> Bool {
    guard let value else { return false }
    self[keyPath: path] = value
    return true
  }

  private mutating func set<Value>(
    _ path: WritableKeyPath<ConsoleFaults, Value?>, _ value: Value?
  ) -> Bool {
    guard let value else { return false }
    self[keyPath: path] = value
    return true
  }
}
