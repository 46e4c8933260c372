/// Notices in what a console says that a system is up, or that it will not be. Pure.
package struct SystemWatch: Sendable {
  /// What a boot has come to.
  package enum End: Sendable, Hashable {
    /// A getty asks for a name, or offers to.
    case login
    /// A shell's prompt waits. Only silence tells it from a line that is being written.
    case shell
    /// The kernel has given up, in its words; or the system has, and offers a rescue shell.
    case panic(String)
    /// A boot loader has begun anew.
    case restart(String)
  }

  /// What was seen first; nil before anything of it, and for a shell, of which ``isAtPrompt`` tells.
  package private(set) var end: End?
  private var line: [UInt8] = []

  /// Creates a watch that has seen nothing.
  package init() {}

  private static let limit = 400
  private static let panics = [
    ConsoleText.panic, "Give root password for maintenance",
    "You are in emergency mode", "Entering emergency mode", "Unable to mount root fs"
  ]
  private static let restarts = ["U-Boot SPL ", "U-Boot TPL ", "U-Boot 20", "resetting ..."]

  /// Takes what the console said.
  package mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes where end == nil {
      if byte == 10 || byte == 13 {
        look(atWhole: text)
        line.removeAll(keepingCapacity: true)
        continue
      }
      guard line.count < SystemWatch.limit else { continue }
      line.append(byte)
      // A prompt's line does not end.
      if byte == UInt8(ascii: ":") || byte == 32 || byte == UInt8(ascii: ")") { look(atOpen: text) }
    }
  }

  /// Whether the last line may be a shell's prompt: it ends as one, and is short.
  package var isAtPrompt: Bool {
    let text = text
    return (2...100).contains(text.utf8.count)
      && ["# ", "$ ", "% ", "> "].contains { text.hasSuffix($0) } || text == "#" || text == "$"
  }

  private var text: String { String(decoding: ConsoleText.visible(line), as: UTF8.self) }

  private mutating func look(atWhole text: String) {
    if SystemWatch.panics.contains(where: { text.contains($0) }) {
      end = .panic(text)
    } else if SystemWatch.restarts.contains(where: { text.hasPrefix($0) }) {
      end = .restart(text)
    } else if text.contains("press Enter to activate this console") {
      end = .login
    }
  }

  private mutating func look(atOpen text: String) {
    var trimmed = text[...]
    while trimmed.last == " " { trimmed.removeLast() }
    // A getty's: the host's name and nothing else before it.
    if trimmed.hasSuffix("login:"), trimmed.split(separator: " ").count <= 2,
      !trimmed.lowercased().hasPrefix("last ")
    {
      end = .login
    } else if trimmed == "(initramfs)" {
      end = .panic("the system's initramfs found no root, and waits in its shell")
    } else if UBootWatch.isCountdown(Array(text.utf8)) {
      end = .restart(text)
    } else if trimmed.hasSuffix("press Enter to activate this console.") {
      end = .login
    }
  }
}
