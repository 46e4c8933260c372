import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// What says that a system is up, or is not.
struct SystemWatchTests {
  @Test(
    arguments: [
      ("\r\nStarting kernel ...\r\n\r\nboard login: ", .login), ("\nlogin: ", .login),
      ("\nboard login:", .login), ("\n\u{1B}[1mboard login:\u{1B}[0m ", .login),
      ("\nPlease press Enter to activate this console. ", .login),
      (
        "\n[    1.2] Kernel panic - not syncing: VFS: no root\r\n",
        .panic("[    1.2] Kernel panic - not syncing: VFS: no root")
      ),
      ("\n(initramfs) ", .panic("the system's initramfs found no root, and waits in its shell")),
      ("\nGive root password for maintenance\n", .panic("Give root password for maintenance")),
      ("\nU-Boot SPL 2023.01\n", .restart("U-Boot SPL 2023.01")),
      ("\nHit any key to stop autoboot:  2 ", .restart("Hit any key to stop autoboot: ")),
      ("\nLast login: Thu Nov 26 on ttyS0\r\n", nil), ("\nStarting login service\r\n", nil),
      ("\n[  1.0] systemd-logind[1]: new login: a\r\n", nil), ("", nil), ("\n# ", nil)
    ] as [(String, SystemWatch.End?)])
  func seesHowABootEnds(said: String, end: SystemWatch.End?) {
    var watch = SystemWatch()
    watch.append(said.utf8)
    if case .restart? = end, case .restart? = watch.end { return }
    #expect(watch.end == end)
  }

  @Test(arguments: [
    ("\n# ", true), ("\n/ # ", true), ("\nroot@rock:~# ", true), ("\nuser$ ", true), ("\n", false),
    ("\n[    0.1] a line ", false), ("\n# x", false), ("", false)
  ])
  func knowsWhatMayBeAPrompt(said: String, isPrompt: Bool) {
    var watch = SystemWatch()
    watch.append(said.utf8)
    #expect(watch.isAtPrompt == isPrompt)
  }

  @Test func holdsAnEndlessLine() {
    var watch = SystemWatch()
    watch.append([UInt8](repeating: UInt8(ascii: ":"), count: 100_000))
    #expect(watch.end == nil && !watch.isAtPrompt)
  }
}

/// Debian's U-Boot that boots the virtual bench's kernel for arm64.
@Suite(.serialized, .needsUBoot, .needsKernel, .timeLimit(.minutes(10)))
struct UBootBootTests {
  private static let cache: String = {
    let home = getenv("HOME").map { String(cString: $0) } ?? "/"
    return (getenv("XDG_CACHE_HOME").map { String(cString: $0) } ?? home + "/.cache")
      + "/kelvin/virtual-bench"
  }()

  /// The kernel and the initial file system that scripts/virtual-bench has made; nil when it has not.
  static let images: (kernel: String, initrd: String)? = {
    let names = SmallFile.names(in: cache)
    guard let kernel = names.last(where: { $0.hasPrefix("kernel-") && $0.hasSuffix("-arm64") }),
      let initrd = names.last(where: { $0.hasPrefix("arm-board-") && $0.hasSuffix(".cpio") })
    else { return nil }
    return (cache + "/" + kernel + "/vmlinuz", cache + "/" + initrd)
  }()

  private func seconds(_ seconds: Double) -> Deadline { .after(seconds: seconds) }

  private func board() throws -> UBootBoard {
    let images = try #require(Self.images)
    return try UBootBoard(memory: [(images.kernel, 0x4400_0000), (images.initrd, 0x4800_0000)])
  }

  private func command() throws -> String {
    let size = try UBootFile(try #require(Self.images).initrd).size
    return "booti 44000000 48000000:\(String(size, radix: 16)) $fdtcontroladdr"
  }

  private func setArguments(_ shell: UBootShell, _ more: String = "") throws {
    try shell.set(
      "bootargs", to: Array("console=ttyAMA0,115200 panic=5 quiet \(more)".utf8),
      until: seconds(20))
  }

  @Test func bootsAKernelUpToItsLogin() throws {
    let board = try board()
    let shell = try board.shell()
    try setArguments(shell)
    let told = board.told.count
    #expect(try shell.bootSystem(try command(), until: seconds(240)) == .login)
    // The space behind it may come later, and the kernel may have had to say something.
    #expect(board.said.suffix(500).contains("login:"))
    #expect(!shell.isOpen)
    // The command, and nothing after its Enter.
    #expect(board.told.dropFirst(told).last == 13)
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run("version", until: seconds(5))
    }
    #expect(failure?.code == .connectionLost)
  }

  @Test(
    arguments: [
      ("rdinit=/bin/sh", nil), ("rdinit=/bin/false", "Kernel panic")
    ] as [(String, String?)])
  func tellsAShellFromAPanic(arguments: String, panic: String?) throws {
    let board = try board()
    let shell = try board.shell()
    try setArguments(shell, arguments)
    guard let panic else {
      #expect(try shell.bootSystem(try command(), until: seconds(240)) == .shell)
      return
    }
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.bootSystem(try command(), until: seconds(240))
    }
    guard case .refused(let words)? = failure?.code else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(words.contains(panic))
  }

  @Test func saysThatAKernelSaysNothing() throws {
    let board = try board()
    let shell = try board.shell()
    try shell.set("bootargs", to: Array("console=null quiet".utf8), until: seconds(20))
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.bootSystem(try command(), until: seconds(20))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.hint.contains("console=") == true)
  }

  @Test func saysThatTheBoardStartsAnew() throws {
    let board = try board()
    let shell = try board.shell()
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.bootSystem("reset", until: seconds(60))
    }
    guard case .refused? = failure?.code else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(failure?.message.contains("anew") == true)
  }

  @Test func saysThatUBootRefusesAKernel() throws {
    let board = try board()
    let shell = try board.shell()
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.bootSystem("booti 40400000 - $fdtcontroladdr", until: seconds(60))
    }
    #expect(failure?.message.contains("nothing was booted") == true)
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips, with the reason, where the virtual bench has no kernel for arm64.
  static var needsKernel: ConditionTrait {
    .enabled(
      if: UBootBootTests.images != nil,
      "there is no kernel for arm64; 'scripts/virtual-bench start arm' makes it")
  }
}
