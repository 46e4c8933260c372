/// What a simulated board says when it boots.
enum BoardText {
  static let kernel = [
    "Booting Linux on physical CPU 0x0000000000 [0x411fd070]",
    "Linux version 6.1.0-kelvin (simulated) #1 SMP PREEMPT",
    "Machine model: Kelvin simulated board",
    "Memory: 505920K/524288K available",
    "smp: Brought up 1 node, 4 CPUs",
    "devtmpfs: initialized",
    "NET: Registered PF_NETLINK/PF_ROUTE protocol family",
    "Serial: 8250/16550 driver, 4 ports, IRQ sharing disabled",
    "printk: console [ttyS0] enabled",
    "mmc0: new high speed SDHC card at address aaaa",
    "mmcblk0: mmc0:aaaa SL16G 14.8 GiB",
    "EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode.",
    "VFS: Mounted root (ext4 filesystem) readonly on device 179:2.",
    "Freeing unused kernel memory: 2048K",
    "Run /sbin/init as init process",
    "systemd[1]: Hostname set to <board>.",
    "systemd[1]: Reached target Multi-User System."
  ]

  static func stamped(_ seconds: Double, _ line: String) -> String {
    let microseconds = Int(seconds * 1e6)
    let whole = String(microseconds / 1_000_000)
    let padding = String(repeating: " ", count: max(0, 5 - whole.utf8.count))
    return "[\(padding)\(whole).\(six(microseconds % 1_000_000))] \(line)\n"
  }

  static func panic(_ seconds: Double) -> String {
    let why = "VFS: Unable to mount root fs on unknown-block(179,2)"
    return stamped(seconds, "Kernel panic - not syncing: \(why)")
      + stamped(seconds, "CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0-kelvin #1")
      + stamped(seconds, "---[ end Kernel panic - not syncing: \(why) ]---")
      + stamped(seconds, "Rebooting in 1 seconds..")
  }

  static func two(_ number: Int) -> String { number < 10 ? " \(number)" : "\(number)" }

  private static func six(_ number: Int) -> String {
    String(String(1_000_000 + number).dropFirst())
  }
}
