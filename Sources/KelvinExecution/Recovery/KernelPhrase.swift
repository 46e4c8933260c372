/// The words by which a kernel says what has happened, each with the file of Linux that prints them.
///
/// They hold for Linux 4.4 to 6.14, where words have changed both forms stand here.
struct KernelPhrase {
  var kind: KernelSign.Kind
  var severity: KernelSign.Severity
  var isPanic = false
  /// The kinds whose report it belongs to while that goes on; else it is a sign of its own.
  var follows: Set<KernelSign.Kind> = []

  /// What a message says; nil when it says nothing of this sort.
  init?(_ message: KernelLine.Message) {
    let text = message.text
    guard let first = text.first, KernelPhrase.firstBytes[Int(first)] || text.has(" [#") else {
      // comm invoked oom-killer: any name may come first.
      guard text.has(" invoked oom-killer: gfp_mask=") else { return nil }
      self.init(.outOfMemory, .serious)
      return
    }
    guard
      let phrase = KernelPhrase.panic(text) ?? KernelPhrase.crash(message)
        ?? KernelPhrase.complaint(text) ?? KernelPhrase.lockup(text)
        ?? KernelPhrase.bug(message) ?? KernelPhrase.memory(text) ?? KernelPhrase.hardware(text)
        ?? KernelPhrase.life(message)
    else { return nil }
    self = phrase
  }

  private init(
    _ kind: KernelSign.Kind, _ severity: KernelSign.Severity, isPanic: Bool = false,
    follows: Set<KernelSign.Kind> = []
  ) {
    self.kind = kind
    self.severity = severity
    self.isPanic = isPanic
    self.follows = follows
  }

  /// Those that any of the words here begins with.
  private static let firstBytes: [Bool] = {
    var table = [Bool](repeating: false, count: 256)
    for byte in "KkR-IOUCBPtWNwrmMosSEHLA{".utf8 { table[Int(byte)] = true }
    return table
  }()

  // MARK: The kernel gives up

  /// kernel/panic.c.
  private static func panic(_ text: ArraySlice<UInt8>) -> KernelPhrase? {
    if text.begins(with: "---[ end Kernel panic")
      || (text.begins(with: "Rebooting in ") && text.has(" seconds.."))
    {
      return KernelPhrase(.panic, .fatal, isPanic: true)
    }
    guard text.begins(with: "Kernel panic - not syncing") else { return nil }
    let kind: KernelSign.Kind
    switch text {
    // mm/oom_kill.c.
    case _ where text.has("Out of memory") || text.has("deadlocked on memory"): kind = .outOfMemory
    // kernel/watchdog.c, watchdog_hld.c, hung_task.c, rcu/tree_stall.h.
    case _ where text.has("softlockup: hung tasks"): kind = .softLockup
    case _ where text.has("Hard LOCKUP") || text.has("hard LOCKUP"): kind = .hardLockup
    case _ where text.has("hung_task: blocked tasks"): kind = .hungTask
    case _ where text.has("RCU Stall"): kind = .rcuStall
    // drivers/watchdog: softdog.c, pretimeout_panic.c, and others' own words.
    case _ where text.has("atchdog"): kind = .watchdog
    // arch/x86/kernel/cpu/mce/core.c, arch/arm64/kernel/traps.c.
    case _ where text.has("achine check") || text.has("SError Interrupt"): kind = .machineCheck
    // check_panic_on_warn() names who asks; mm/kasan/report.c.
    case _ where text.has(": KASAN:") || text.has("kasan.fault"): kind = .kasan
    case _ where text.has(": KFENCE:"): kind = .kfence
    case _ where text.has(": KCSAN:"): kind = .kcsan
    case _ where text.has(": UBSAN:"): kind = .ubsan
    case _ where text.has("panic_on_warn set"): kind = .warning
    default: kind = .panic
    }
    return KernelPhrase(kind, .fatal, isPanic: true)
  }

  // MARK: A part of the kernel has crashed

  private static func crash(_ message: KernelLine.Message) -> KernelPhrase? {
    let text = message.text
    let reports: Set<KernelSign.Kind> = [.oops, .bug]
    // arch/*/kernel/traps.c and dumpstack.c: die() counts them: `Oops: 0002 [#1]`, `general
    // protection fault, ...: 0000 [#1]`, `Internal error: Oops: 96000044 [#1]`, `Kernel BUG [#1]`.
    if isDeath(message) { return KernelPhrase(.oops, .fatal, follows: reports) }
    // lib/bug.c.
    if text.begins(with: "kernel BUG at ") || text.begins(with: "Kernel BUG at ") {
      return KernelPhrase(.bug, .fatal)
    }
    // arch/x86/mm/fault.c and traps.c; arch/{arm,arm64,riscv,mips}/mm/fault.c.
    if text.begins(with: "BUG: unable to handle") || text.begins(with: "BUG: kernel NULL pointer")
      || text.begins(with: "Unable to handle kernel ") || text.begins(with: "PANIC: double fault")
      || text.begins(with: "traps: PANIC: double fault")
      || (text.begins(with: "CPU ") && text.has(" Unable to handle kernel "))
      || (text.begins(with: "BUG: ") && text.has("stack guard page was hit"))
      || text.begins(with: "Insufficient stack space to handle exception!")
    {
      return KernelPhrase(.oops, .fatal, follows: reports)
    }
    return nil
  }

  /// Whether die() speaks: `[#1]` behind words that nobody else uses, or behind a colon and a number of
  /// four hexadecimal digits or more. Of x86's exceptions these are the names (arch/x86/kernel/traps.c).
  private static func isDeath(_ message: KernelLine.Message) -> Bool {
    let text = message.text
    guard let count = text.range(ofBytes: " [#"), let digit = text[count.upperBound...].first,
      digit >= 48, digit <= 57
    else { return false }
    if text.begins(with: "Oops") || text.begins(with: "Internal error: ")
      || text.begins(with: "Kernel BUG [#")
    {
      return true
    }
    let exceptions: [StaticString] = [
      "general protection fault", "divide error: ", "invalid opcode: ", "stack segment: ", "int3: ",
      "double fault: ", "segment not present: ", "invalid TSS: ", "alignment check: ", "bounds: ",
      "overflow: ", "control protection fault: ", "simd exception: ", "fpu exception: ",
      "iret exception: "
    ]
    guard message.isMarked || exceptions.contains(where: { text.begins(with: $0) }) else {
      return false
    }
    let number = text[..<count.lowerBound].reversed().prefix { byte in
      (48...57).contains(byte) || (97...102).contains(byte)
    }
    let before = text[..<count.lowerBound].dropLast(number.count)
    return (4...16).contains(number.count) && before.suffix(2).elementsEqual(": ".utf8)
      && before.count < 120
  }

  // MARK: The kernel has found itself wrong

  private static func complaint(_ text: ArraySlice<UInt8>) -> KernelPhrase? {
    // mm/kasan/report.c, mm/kmsan/report.c, kernel/kcsan/report.c, mm/kfence/report.c, lib/ubsan.c.
    if text.begins(with: "BUG: KASAN: ") { return KernelPhrase(.kasan, .serious) }
    if text.begins(with: "BUG: KMSAN: ") { return KernelPhrase(.kmsan, .serious) }
    if text.begins(with: "BUG: KCSAN: ") { return KernelPhrase(.kcsan, .serious) }
    if text.begins(with: "BUG: KFENCE: ") { return KernelPhrase(.kfence, .serious) }
    if text.begins(with: "UBSAN: ") { return KernelPhrase(.ubsan, .serious) }
    // kernel/panic.c (__warn), kernel/locking/lockdep.c, kernel/rcu.
    if text.begins(with: "WARNING: "),
      text.has(" CPU: ") || text.has(" CPU#") || text.has(" locking dependency detected")
        || text.has(": possible recursive locking")
        || text.has(": suspicious RCU usage") || text.has(": inconsistent lock state")
        || text.has(": bad unlock balance")
    {
      return KernelPhrase(.warning, .note)
    }
    return nil
  }

  private static func lockup(_ text: ArraySlice<UInt8>) -> KernelPhrase? {
    var rest = text
    for prefix: StaticString in ["NMI ", "watchdog: "] where rest.begins(with: prefix) {
      rest = rest.dropFirst(prefix.utf8CodeUnitCount)
    }
    // kernel/watchdog.c; kernel/workqueue.c.
    if rest.begins(with: "BUG: soft lockup") || rest.begins(with: "BUG: workqueue lockup") {
      return KernelPhrase(.softLockup, .serious)
    }
    // kernel/watchdog_hld.c, arch/powerpc/kernel/watchdog.c.
    if rest.begins(with: "Watchdog detected hard LOCKUP")
      || (rest.begins(with: "CPU") && rest.has("ard LOCKUP"))
    {
      return KernelPhrase(.hardLockup, .serious)
    }
    // kernel/rcu/tree_stall.h, tree_exp.h, update.c (tasks).
    if rest.begins(with: "rcu: ") { rest = rest.dropFirst(5) }
    if rest.begins(with: "INFO: rcu"), rest.has("stall") {
      return KernelPhrase(.rcuStall, .serious)
    }
    // kernel/hung_task.c.
    if text.begins(with: "INFO: task "), text.has(" blocked for more than ") {
      return KernelPhrase(.hungTask, .serious)
    }
    return nil
  }

  /// Everything else that calls itself so: kernel/sched/core.c, kernel/locking/spinlock_debug.c,
  /// mm/memory.c, mm/page_alloc.c, mm/slub.c. Where no prefix says that a kernel speaks, only their own
  /// words count: programs have bugs, too.
  private static func bug(_ message: KernelLine.Message) -> KernelPhrase? {
    let text = message.text
    guard text.begins(with: "BUG") else { return nil }
    let known: [StaticString] = [
      "BUG: scheduling while atomic", "BUG: sleeping function called from", "BUG: spinlock ",
      "BUG: rwlock ", "BUG: Bad page ", "BUG: Bad rss-counter", "BUG: using "
    ]
    if known.contains(where: { text.begins(with: $0) })
      || (message.isMarked && text.begins(with: "BUG: "))
      || (text.begins(with: "BUG ") && (text.has("(Tainted: ") || text.has("(Not tainted)")))
    {
      return KernelPhrase(.bug, .serious)
    }
    return nil
  }

  /// mm/oom_kill.c.
  private static func memory(_ text: ArraySlice<UInt8>) -> KernelPhrase? {
    if text.begins(with: "Out of memory: Kill") || text.begins(with: "oom-kill:constraint=")
      || text.begins(with: "Memory cgroup out of memory: Kill")
      || text.begins(with: "Out of memory and no killable processes")
      || text.has(" invoked oom-killer: gfp_mask=")
    {
      return KernelPhrase(
        .outOfMemory, .serious,
        follows: text.has(" invoked oom-killer: ") ? [] : [.outOfMemory])
    }
    return nil
  }

  // MARK: The hardware

  private static func hardware(_ text: ArraySlice<UInt8>) -> KernelPhrase? {
    // drivers/thermal/thermal_core.c.
    if text.begins(with: "thermal "), text.has("critical temperature reached") {
      return KernelPhrase(.thermalShutdown, .fatal)
    }
    // kernel/reboot.c; its reason comes from whoever protects.
    if text.begins(with: "reboot: HARDWARE PROTECTION") {
      return KernelPhrase(
        text.has("emperature") ? .thermalShutdown : .powerDown, .fatal, follows: [.thermalShutdown])
    }
    // arch/x86/kernel/cpu/mce/core.c; corrected errors are only counted.
    if text.begins(with: "mce: [Hardware Error]: ") {
      return KernelPhrase(
        .machineCheck, text.has("Machine Check") ? .serious : .note, follows: [.machineCheck])
    }
    // arch/arm64/kernel/traps.c.
    if text.begins(with: "SError Interrupt on CPU") { return KernelPhrase(.machineCheck, .fatal) }
    // drivers/firmware/efi/cper.c.
    if text.begins(with: "{"), text.has("[Hardware Error]: event severity: ") {
      return KernelPhrase(
        .machineCheck,
        text.has(": fatal") ? .fatal : text.has(": corrected") ? .note : .serious)
    }
    // drivers/edac/edac_mc.c.
    if text.begins(with: "EDAC MC") {
      if text.has(" UE ") { return KernelPhrase(.machineCheck, .serious) }
      if text.has(" CE ") { return KernelPhrase(.machineCheck, .note) }
    }
    return watchdog(text)
  }

  private static func watchdog(_ text: ArraySlice<UInt8>) -> KernelPhrase? {
    // drivers/watchdog/softdog.c.
    if text.begins(with: "softdog: Initiating ") { return KernelPhrase(.watchdog, .fatal) }
    if text.begins(with: "softdog: Triggered") { return KernelPhrase(.watchdog, .serious) }
    // drivers/watchdog/pretimeout_noop.c, watchdog_dev.c.
    if text.begins(with: "watchdog") {
      if text.has(": pretimeout event") { return KernelPhrase(.watchdog, .serious) }
      if text.has(": watchdog did not stop!") { return KernelPhrase(.watchdog, .note) }
    }
    // What boot loaders and drivers read from the reset controller: U-Boot's arch/arm/mach-imx/cpu.c,
    // Linux' drivers/power/reset/at91-reset.c and others of that form.
    for begin: StaticString in [
      "Reset cause", "Reset reason", "Reset Status", "Last reset", "AT91: Starting after"
    ]
    where text.begins(with: begin) {
      if text.has("atchdog") || text.has("WDOG") || text.has("WDT") || text.has("wdog")
        || text.has("WATCHDOG")
      {
        return KernelPhrase(.watchdog, .fatal)
      }
    }
    return nil
  }

  // MARK: The board starts and stops

  private static func life(_ message: KernelLine.Message) -> KernelPhrase? {
    let text = message.text
    // kernel/reboot.c; before Linux 3.11 without the prefix. drivers/tty/sysrq.c.
    if text.begins(with: "reboot: Restarting system") || text.begins(with: "sysrq: Resetting")
      || text.begins(with: "sysrq: SysRq : Resetting")
      || (message.isMarked && text.begins(with: "Restarting system"))
    {
      return KernelPhrase(.reboot, .fatal)
    }
    if text.begins(with: "reboot: Power down") || text.begins(with: "reboot: System halted")
      || (message.isMarked && text.begins(with: "Power down."))
    {
      return KernelPhrase(.powerDown, .fatal, follows: [.thermalShutdown])
    }
    // init/main.c. A program that prints /proc/version says the same, but not at time 0.
    if text.begins(with: "Linux version "), message.time.map({ $0 < 1_000_000 }) == true {
      return KernelPhrase(.kernelStarted, .fatal, follows: [.kernelStarted])
    }
    // arch/arm64/kernel/setup.c, arch/arm/kernel/setup.c.
    if text.begins(with: "Booting Linux on physical CPU") {
      return KernelPhrase(.kernelStarted, .fatal, follows: [.kernelStarted])
    }
    // U-Boot's common/spl/spl.c, lib/display_options.c, common/autoboot.c.
    if text.begins(with: "U-Boot SPL 20") || text.begins(with: "U-Boot TPL 20")
      || text.begins(with: "U-Boot 20") || text.begins(with: "Hit any key to stop autoboot")
    {
      return KernelPhrase(.bootLoader, .fatal, follows: [.bootLoader])
    }
    return nil
  }
}
