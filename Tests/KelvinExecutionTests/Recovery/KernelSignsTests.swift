import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct KernelSignsTests {
  typealias Kind = KernelSign.Kind
  typealias Severity = KernelSign.Severity

  private func kinds(_ text: String) -> [Kind] { KernelSigns(Array(text.utf8)).signs.map(\.kind) }

  // MARK: Real texts

  @Test(arguments: [
    (KernelTexts.sysrqPanic, [Kind.panic], Severity.fatal), (KernelTexts.panic, [.panic], .fatal),
    (KernelTexts.armPanic, [.panic], .fatal),
    (KernelTexts.nullPointer, [.oops], .fatal), (KernelTexts.protectionFault, [.oops], .fatal),
    (KernelTexts.bug, [.bug], .fatal), (KernelTexts.warning, [.warning], .note),
    (KernelTexts.schedulingWhileAtomic, [.bug, .bug], .serious),
    (KernelTexts.outOfMemory, [.outOfMemory], .serious),
    (KernelTexts.hardwareProtection, [.thermalShutdown, .powerDown], .fatal),
    (KernelTexts.reboot, [.reboot], .fatal), (KernelTexts.powerOff, [.powerDown], .fatal)
  ])
  func tellsWhatAConsoleOfTheVirtualBenchSaid(text: String, kinds: [Kind], severity: Severity) {
    let signs = KernelSigns(Array(text.utf8))
    #expect(signs.signs.map(\.kind) == kinds, "\(signs.signs)")
    #expect(signs.worst?.severity == severity)
    #expect(signs.signs.allSatisfy { $0.kernelTime != nil })
  }

  @Test func tellsRepeatedHungTasksAndLockupsApart() {
    let hung = KernelSigns(Array(KernelTexts.hungTask.utf8))
    #expect(Set(hung.counts.keys) == [.hungTask])
    #expect((hung.counts[.hungTask] ?? 0) > 3)
    let lockups = kinds(KernelTexts.lockups)
    #expect(lockups.prefix(3) == [.rcuStall, .softLockup, .rcuStall], "\(lockups)")
    #expect(kinds(KernelTexts.softwareWatchdog) == [.watchdog, .watchdog])
  }

  @Test func reportsGoToTheirEndAndNoFurther() throws {
    func report(_ text: String) throws -> [Substring] {
      let sign = try #require(KernelSigns(Array(text.utf8)).signs.first)
      return String(decoding: sign.report, as: UTF8.self).split(separator: "\n")
    }
    #expect(try report(KernelTexts.sysrqPanic).last?.contains("Rebooting in 1 seconds..") == true)
    #expect(try report(KernelTexts.nullPointer).last?.contains("---[ end trace") == true)
    let bug = try report(KernelTexts.bug)
    #expect(bug.first?.contains("[ cut here ]") == true, "\(bug)")
    #expect(bug.contains { $0.contains("invalid opcode: 0000 [#1]") })
    let hung = try report(KernelTexts.hungTask)
    #expect(hung.first?.contains("blocked for more than 5 seconds") == true)
    #expect(hung.last?.hasSuffix("</TASK>") == true, "\(hung)")
    let memory = try report(KernelTexts.outOfMemory)
    #expect(memory.first?.contains("invoked oom-killer") == true)
    #expect(memory.last?.contains("Out of memory: Killed process") == true, "\(memory)")
    #expect(try report(KernelTexts.schedulingWhileAtomic).last?.hasSuffix("</TASK>") == true)
  }

  /// A kernel's log that is read over the console itself comes in replies of one line each.
  @Test(arguments: [
    "[    0.000000] Linux version 6.1.0-56-amd64~[    0.000000] Command line: quiet~",
    "x~[   71.250000] Kernel panic - not syncing: sysrq triggered crash~[   71.260000] CPU: 1~",
    "[   71.250000] Kernel panic - not syncing: sysrq triggered crash"
  ])
  func aLogThatKelvinReadsIsNoKernelThatSpeaks(content: String) {
    let head = "~lA2a 8b9806487cb43787771cee549272fa59 244 26 r 0 tt 184 "
    #expect(kinds(head + content + "\n") == [])
    // In anybody else's lines it is one.
    #expect(kinds("login: " + content + "\n") != [])
    // A kernel that speaks in the middle of a reply is heard.
    #expect(kinds(head + "abc[   80.000000] Kernel panic - not syncing: x\n") == [.panic])
    #expect(kinds(head + "abc\n[   80.000000] Kernel panic - not syncing: x\n") == [.panic])
  }

  // MARK: Documented texts

  @Test(arguments: [
    // x86
    ("BUG: unable to handle page fault for address: ffffdead00000000", Kind.oops, Severity.fatal),
    ("BUG: unable to handle kernel paging request at ffffdead00000000", .oops, .fatal),
    (
      "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
      .oops, .fatal
    ),
    ("divide error: 0000 [#3] SMP PTI", .oops, .fatal),
    ("traps: PANIC: double fault, error_code: 0x0", .oops, .fatal),
    (
      "mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 4: be00000000800400",
      .machineCheck, .serious
    ),
    ("mce: [Hardware Error]: Machine check events logged", .machineCheck, .note),
    ("Kernel panic - not syncing: Fatal machine check", .machineCheck, .fatal),
    // arm64, arm, riscv, mips
    ("Internal error: Oops: 0000000096000044 [#1] PREEMPT SMP", .oops, .fatal),
    ("Internal error: Oops - BUG: 00000000f2000800 [#1] SMP", .oops, .fatal),
    (
      "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
      .oops, .fatal
    ),
    ("Oops [#1]", .oops, .fatal), ("Kernel BUG [#1]", .oops, .fatal),
    ("CPU 0 Unable to handle kernel paging request at virtual address 00000000", .oops, .fatal),
    ("SError Interrupt on CPU2, code 0x00000000bf000002 -- SError", .machineCheck, .fatal),
    ("Kernel panic - not syncing: Asynchronous SError Interrupt", .machineCheck, .fatal),
    // lockups, memory, watchdogs
    ("NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [stress:99]", .softLockup, .serious),
    (
      "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!", .softLockup,
      .serious
    ),
    ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 3", .hardLockup, .serious),
    ("watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 0", .hardLockup, .serious),
    ("rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", .rcuStall, .serious),
    ("INFO: rcu_preempt self-detected stall on CPU", .rcuStall, .serious),
    (
      "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }", .rcuStall,
      .serious
    ),
    ("Kernel panic - not syncing: softlockup: hung tasks", .softLockup, .fatal),
    ("Kernel panic - not syncing: Hard LOCKUP", .hardLockup, .fatal),
    ("Kernel panic - not syncing: hung_task: blocked tasks", .hungTask, .fatal),
    ("Kernel panic - not syncing: RCU Stall", .rcuStall, .fatal),
    (
      "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled",
      .outOfMemory,
      .fatal
    ),
    ("Kernel panic - not syncing: Software Watchdog Timer expired", .watchdog, .fatal),
    ("Kernel panic - not syncing: watchdog pretimeout event", .watchdog, .fatal),
    ("watchdog0: pretimeout event", .watchdog, .serious),
    ("Memory cgroup out of memory: Killed process 1 (a) total-vm:1kB", .outOfMemory, .serious),
    (
      "Out of memory: Kill process 99 (stress) score 900 or sacrifice child", .outOfMemory, .serious
    ),
    ("Reset cause: WDOG", .watchdog, .fatal),
    // sanitizers
    ("BUG: KASAN: slab-out-of-bounds in foo+0x1/0x2", .kasan, .serious),
    ("BUG: KMSAN: uninit-value in foo+0x1/0x2", .kmsan, .serious),
    ("BUG: KCSAN: data-race in a / b", .kcsan, .serious),
    ("BUG: KFENCE: use-after-free read in foo+0x1/0x2", .kfence, .serious),
    ("UBSAN: array-index-out-of-bounds in drivers/x.c:12:3", .ubsan, .serious),
    ("Kernel panic - not syncing: KASAN: panic_on_warn set ...", .kasan, .fatal),
    ("BUG kmalloc-64 (Tainted: G    B): Poison overwritten", .bug, .serious),
    ("BUG: sleeping function called from invalid context at mm/slab.h:421", .bug, .serious),
    ("WARNING: possible circular locking dependency detected", .warning, .note),
    // heat, and a board's life
    (
      "thermal thermal_zone0: acpitz: critical temperature reached, shutting down",
      .thermalShutdown,
      .fatal
    ),
    (
      "thermal thermal_zone0: critical temperature reached (110 C), shutting down",
      .thermalShutdown,
      .fatal
    ),
    ("Booting Linux on physical CPU 0x0000000000 [0x410fd034]", .kernelStarted, .fatal),
    ("U-Boot SPL 2023.01+dfsg-2 (Jan 01 2023 - 00:00:00 +0000)", .bootLoader, .fatal),
    ("U-Boot 2023.01+dfsg-2 (Jan 01 2023 - 00:00:00 +0000)", .bootLoader, .fatal)
  ])
  func knowsTheWords(text: String, kind: Kind, severity: Severity) throws {
    let prefixes = [
      "", "[   12.345678] ", "<2>[   12.345678] ", "[   12.345678][  T142] ",
      "[   12.345678][    C0] ",
      "2,1234,12345678,-;", "kern  :emerg : [   12.345678] ", "[Thu Nov 26 13:42:12 2026] ",
      "2026-11-26T13:42:12,345678+00:00 ", "Nov 26 13:42:12 rock kernel: [   12.345678] ",
      "rock login: [   12.345678] ", "\u{1b}[1;31m", "\u{0}\u{fffd}%[ 12.3", "# "
    ]
    for prefix in prefixes {
      for end in ["\n", "\r\n", "\u{1b}[0m\r\n", ""] {
        let signs = KernelSigns(Array((prefix + text + end).utf8))
        try #require(signs.signs.count == 1, "\(prefix)\(text): \(signs.signs)")
        #expect(signs.signs[0].kind == kind && signs.signs[0].severity == severity, "\(prefix)")
        #expect(signs.signs[0].line.hasPrefix(text.prefix(40)), "\(prefix): \(signs.signs[0].line)")
      }
    }
  }

  @Test func knowsAKernelsFirstLine() {
    #expect(kinds("[    0.000000] Linux version 6.1.0-56-amd64 (x@y)\n") == [.kernelStarted])
    #expect(
      kinds("[    0.000000] Booting Linux on physical CPU 0x0\n[    0.000000] Linux version 6.1\n")
        == [.kernelStarted])
  }

  // MARK: What is none

  @Test(arguments: [
    "", "\r\n\r\n", "Linux version 6.1.0-56-amd64 (cat /proc/version)",
    "[   99.000000] Linux version 6.1.0-56-amd64 (quoted by a driver)",
    "echo Kernel panic - not syncing: x", "\"Kernel panic - not syncing: x\"",
    "test 12: Kernel panic - not syncing: expected", "the log says 'BUG: soft lockup'",
    "DEBUG: nothing but a word that ends so", "BUG: a program has one, too",
    "oops, BUG without a colon, kernel panic", "Oops, I did it again", "Oops: no count",
    "WARNING: could not lock /var/lock", "INFO: task list blocked", "INFO: rcu is fine",
    "[    2.0] softdog: initialized. soft_margin=2 sec",
    "traps: a[12] general protection fault ip:1",
    "[    1.0] thermal thermal_zone0: trip point 1", "sysrq: Show backtrace of all active CPUs",
    "[    1.0] mce: CPU0: Thermal monitoring enabled", "Out of memory", "out of memory: malloc",
    "Reset cause: POR", "reboot: no such command", "Rebooting in a minute",
    "U-Boot is a boot loader",
    "line 1: abcd [x]", "[#1]", "a: [#1]", "Power down the board, please"
  ])
  func takesNothingElseForTheKernels(text: String) {
    let signs = KernelSigns(Array((text + "\n").utf8))
    #expect(signs.signs.isEmpty, "\(signs.signs)")
    #expect(signs.alarmCount == 0)
  }

  // MARK: Mixed and broken lines

  @Test func aReportKeepsToItsCallersLinesAndLeavesOutOthers() throws {
    let text = """
      [    1.000000][  T100] BUG: scheduling while atomic: a/100/0x2
      [    1.000010][  T200] another CPU says this
      [    1.000020][  T100] Call Trace:
      a program prints this
      [    1.000030][  T100]  foo+0x1/0x2
      [    1.000040][  T200] and this, which is not indented
      [    1.000050][  T100]  bar+0x1/0x2
      [    1.000060][  T100] something else
      [    1.000070][  T100] long after

      """
    let sign = try #require(KernelSigns(Array(text.utf8)).signs.first)
    let report = String(decoding: sign.report, as: UTF8.self)
    #expect(report.contains("bar+0x1/0x2") && report.contains("another CPU"), "\(report)")
    #expect(
      !report.contains("a program prints this") && !report.contains("long after"), "\(report)")
  }

  @Test func aPanicAfterAnOopsIsASignOfItsOwn() {
    let text = """
      [    1.000000] BUG: kernel NULL pointer dereference, address: 8
      [    1.000001] Oops: 0002 [#1] PREEMPT SMP
      [    1.000002] Call Trace:
      [    1.000003] ---[ end trace 0000000000000000 ]---
      [    1.000004] RIP: 0010:foo
      [    1.000005] Kernel panic - not syncing: Fatal exception in interrupt
      [    1.000006] Kernel Offset: disabled
      [    1.000007] ---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---

      """
    let signs = KernelSigns(Array(text.utf8))
    #expect(signs.signs.map(\.kind) == [.oops, .panic])
    #expect(signs.alarmCount == 2)
    // Its first line was lost: the last one tells.
    let last = text.split(separator: "\n").suffix(1).joined() + "\n"
    #expect(kinds(last) == [.panic])
  }

  @Test func piecesOfAnySizeGiveTheSame() {
    let text = Array(
      (KernelTexts.nullPointer + KernelTexts.outOfMemory + KernelTexts.sysrqPanic).utf8)
    let whole = KernelSigns(text)
    for size in [1, 2, 7, 100, 4095, 4097] {
      var signs = KernelSigns()
      for begin in stride(from: 0, to: text.count, by: size) {
        signs.take(Array(text[begin..<min(text.count, begin + size)]))
      }
      signs.finish()
      #expect(signs.signs.map(\.line) == whole.signs.map(\.line))
      #expect(signs.signs.map(\.report) == whole.signs.map(\.report))
    }
  }

  @Test func aLineThatNeverEndsIsSeenAtAGlance() throws {
    var signs = KernelSigns()
    signs.take(Array("[    1.0] Kernel panic - not sync".utf8))
    signs.glance()
    #expect(signs.signs.isEmpty)
    signs.take(Array("ing: sys".utf8))
    signs.glance()
    signs.glance()
    #expect(signs.signs.map(\.line) == ["Kernel panic - not syncing: sys"])
    signs.take(Array("rq\n[    1.1] CPU: 0\n".utf8))
    signs.finish()
    let sign = try #require(signs.signs.first)
    #expect(signs.signs.count == 1 && sign.line == "Kernel panic - not syncing: sysrq")
    #expect(
      String(decoding: sign.report, as: UTF8.self)
        == "[    1.0] Kernel panic - not syncing: sysrq\n[    1.1] CPU: 0\n")
    // Other words may go on otherwise.
    var other = KernelSigns()
    other.take(Array("[    1.0] BUG: ".utf8))
    other.glance()
    #expect(other.signs.isEmpty)
  }

  /// 1 GB without a line's end, 100,000 signs, and lines of carriage returns alone.
  @Test(.timeLimit(.minutes(2))) func keepsLittleWhateverComes() {
    var signs = KernelSigns()
    signs.take(Array("Kernel panic - not syncing: ".utf8))
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    for _ in 0..<1024 { signs.take(piece) }
    signs.take(Array("\nBUG: KASAN: a\n".utf8))
    signs.finish()
    #expect(signs.signs.map(\.kind) == [.panic, .kasan])
    #expect(signs.signs.allSatisfy { $0.line.utf8.count <= 240 && $0.report.count <= 32_768 })

    var many = KernelSigns()
    let line = Array("BUG: KASAN: x\n".utf8)
    for _ in 0..<10_000 { many.take(line) }
    many.take(Array("Kernel panic - not syncing: y\n".utf8))
    for _ in 0..<10_000 { many.take(line) }
    #expect(many.counts[.kasan] == 20_000 && many.alarmCount == 20_001)
    #expect(many.signs.count == KernelSigns.limit + 1)
    #expect(many.worst?.kind == .panic)

    var report = KernelSigns()
    report.take(Array("Oops: 0002 [#1]\n".utf8))
    for _ in 0..<100_000 { report.take(line.dropFirst(4) + []) }
    report.take([UInt8](repeating: 13, count: 1 << 20))
    report.finish()
    #expect(report.signs.allSatisfy { $0.report.count <= KernelSigns.reportLimit })
  }

  @Test func survivesRandomAndDamagedText() {
    var generator = SplitMix(state: 20_261_126)
    let texts = [
      KernelTexts.nullPointer, KernelTexts.outOfMemory, KernelTexts.lockups,
      "kern  :emerg : [ 1.0] a\n2,1,99999999999999999999,-;x\n[99999999999.9999999999] y\n<9999>[z\n"
        + "[1.][C\n[ \nNov 26 13:42:12 host kernel: \n2026-11-26T\n[Thu:::]\n[1.0][T\n[1.0][T1]\n"
    ].map { Array($0.utf8) }
    for round in 0..<300 {
      var text = texts[round % texts.count]
      for _ in 0..<20 {
        let place = Int(generator.next() % UInt64(text.count))
        switch generator.next() % 3 {
        case 0: text[place] = UInt8(truncatingIfNeeded: generator.next())
        case 1: text.remove(at: place)
        default: text.insert(UInt8(truncatingIfNeeded: generator.next()), at: place)
        }
      }
      let signs = KernelSigns(text)
      #expect(signs.signs.allSatisfy { !$0.report.isEmpty })
      let random = (0..<2000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      #expect(KernelSigns(random).signs.count < 3)
    }
    for count in 0..<texts[3].count { _ = KernelSigns(Array(texts[3].prefix(count))).signs }
  }
}
