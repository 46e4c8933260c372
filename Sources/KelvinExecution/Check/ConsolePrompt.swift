internal import KelvinConnections
public import KelvinModel
internal import KelvinPatterns

/// What a console may show when a key is pressed.
public struct ConsolePrompt: Sendable, Hashable {
  /// For people: `a login prompt`.
  public let name: String
  /// A regular expression that the end of the console's last line matches.
  public let pattern: String

  /// Creates a prompt.
  public init(_ name: String, pattern: String) {
    self.name = name
    self.pattern = pattern
  }

  /// The prompts of a board of this profile: its own, and those that any board may show.
  public static func all(of profile: BoardProfile?) -> [ConsolePrompt] {
    [
      ConsolePrompt("a login prompt", pattern: profile?.login?.prompt ?? "login: ?$"),
      ConsolePrompt("a boot loader's prompt", pattern: profile?.bootLoader?.prompt ?? "=> ?$"),
      ConsolePrompt("a password prompt", pattern: "[Pp]assword: ?$"),
      ConsolePrompt("a shell's prompt", pattern: profile?.shellPrompt ?? "[#$] ?$")
    ]
  }

  /// The first of `prompts` that the end of `bytes` shows; nil when none does.
  ///
  /// Control sequences of terminals (ECMA-48) do not count: shells color their prompts, and some ask
  /// for the cursor's position behind them.
  public static func shown(at bytes: [UInt8], of prompts: [ConsolePrompt]) -> ConsolePrompt? {
    let line =
      ConsoleText.visible(bytes.suffix(4096)).split { $0 == 10 || $0 == 13 }.last.map(Array.init)
      ?? []
    guard !line.isEmpty else { return nil }
    return prompts.first { prompt in
      guard let pattern = try? Pattern(prompt.pattern) else { return false }
      return line.withUnsafeBytes {
        ((try? pattern.firstMatch(in: $0, group: 0)) ?? nil) != nil
      }
    }
  }
}
