internal import KelvinModel

/// A shell on a pseudo terminal of a device, by adb's shell protocol (AOSP shell_protocol.h). On devices
/// from before 2016, whose shells tell no exit status and take no size, both go by the shell's own words.
struct ADBTerminal: RelayedTerminal {
  private let device: any ADBDevice
  private let command: [String]

  /// - Parameter command: run instead of what is typed; empty for an interactive shell.
  init(_ device: any ADBDevice, command: [String]) {
    self.device = device
    self.command = command
  }

  func run(
    on terminal: UserTerminal, until deadline: Deadline
  ) throws(ConnectionFailure) -> TerminalEnd {
    let opening = deadline.limited(toSeconds: 30)
    let words = command.isEmpty ? "" : ShellWords.join(command)
    if try device.features(until: opening).contains("shell_v2") {
      let mode = terminal.isTerminal ? "TERM=\(ADBTerminal.type(terminal.type)),pty" : "raw"
      let stream = try device.open("shell,v2,\(mode):\(words)", until: opening)
      return try ADBTerminalRelay(ADBShellLink(stream), terminal).run(until: deadline)
    }
    guard terminal.isTerminal else {
      throw ConnectionFailure(
        .unsupported, "\(device.name): its old adbd gives its terminal to terminals only",
        hint: "'kelvin target exec' runs commands")
    }
    let nonce = "kelvin-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    let size = terminal.size()
    let script =
      (size.map { "stty rows \($0.rows) cols \($0.columns) 2>/dev/null; " } ?? "")
      + (words.isEmpty ? "${SHELL:-sh}" : words)
      // The word keeps the carriage return of a terminal away from the number.
      + "; echo '\u{1E}\(nonce) '$? x"
    let link = ADBOldTerminalLink(
      try device.open("shell:" + script, until: opening), nonce: nonce)
    return try ADBTerminalRelay(link, terminal).run(until: deadline)
  }

  /// A terminal's name that adbd can take: commas and colons end its words.
  static func type(_ name: String) -> String {
    let isGood = name.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        || [0x2B, 0x2D, 0x2E, 0x5F].contains($0)
    }
    return isGood && !name.isEmpty ? name : "dumb"
  }
}
