import KelvinExecution
import KelvinModel
import Testing

@Suite struct ConsolePromptTests {
  let prompts = ConsolePrompt.all(of: nil)

  @Test(arguments: [
    ("\r\nx86-a login: ", "a login prompt"), ("board login:", "a login prompt"),
    ("\r\nPassword: ", "a password prompt"), ("password:", "a password prompt"),
    ("root@rock:~# ", "a shell's prompt"), ("$ ", "a shell's prompt"),
    ("\r\n=> ", "a boot loader's prompt"),
    // Colors around it, and busybox ash's question for the cursor's position behind it.
    ("\u{1b}[1;32mroot@rock\u{1b}[0m:~# \u{1b}[6n", "a shell's prompt"),
    // Bracketed paste, as bash switches it on.
    ("\u{1b}[?2004hroot@rock:~# ", "a shell's prompt")
  ])
  func knowsWhatBoardsShow(text: String, name: String) {
    #expect(ConsolePrompt.shown(at: Array(text.utf8), of: prompts)?.name == name)
  }

  @Test(arguments: [
    "", "\r\n", "[    1.000000] Kernel panic\r\n", "login: root\r\n", "Starting service",
    "board login: \r\n[  12.1] usb 1-1: new device"
  ])
  func isNotDeceivedByOtherOutput(text: String) {
    let shown = ConsolePrompt.shown(at: Array(text.utf8), of: prompts)
    #expect(shown == nil, "\(shown?.name ?? "")")
  }

  @Test func survivesBytesThatAreNoText() {
    for byte in UInt8.min...UInt8.max {
      #expect(
        ConsolePrompt.shown(at: [byte, 0xFF, 0xFE, 0x1B, 0x5B], of: prompts) == nil || byte == 36
          || byte == 35)
    }
    let flood = [UInt8](repeating: 0x1B, count: 100_000) + Array("x login: ".utf8)
    // The escape swallows one byte, and the prompt is still one.
    #expect(ConsolePrompt.shown(at: flood, of: prompts)?.name == "a login prompt")
  }

  @Test func aProfileSaysItsOwn() {
    let profile = BoardProfile(
      name: "odd", title: "Odd", platform: .linux, login: Login(prompt: "who are you\\? $"),
      shellPrompt: "ready> $", location: SourceLocation(file: "odd.yaml"))
    let prompts = ConsolePrompt.all(of: profile)
    #expect(
      ConsolePrompt.shown(at: Array("who are you? ".utf8), of: prompts)?.name == "a login prompt")
    #expect(ConsolePrompt.shown(at: Array("ready> ".utf8), of: prompts)?.name == "a shell's prompt")
    #expect(ConsolePrompt.shown(at: Array("x login: ".utf8), of: prompts) == nil)
  }
}
