import Foundation
import KelvinModel
import Testing

// The ladder's last rung on a real U-Boot and a real kernel.
extension DeployByUBootTests {
  /// What its U-Boot is told by the ladder; nothing else boots it.
  private static let commands = [
    "setenv autoload no; dhcp", "tftpboot $kernel_addr_r Image",
    "tftpboot $ramdisk_addr_r initrd",
    "setenv bootargs console=ttyAMA0,115200 panic=1 quiet vb.role=board vb.name=rescued"
  ]
  private static let boot = "booti $kernel_addr_r $ramdisk_addr_r:$filesize $fdtcontroladdr"

  @Test func aBoardIsBroughtBackByItsUBoot() throws {
    let files = FileManager.default
    for name in ["Image", "initrd"] {
      let place = URL(fileURLWithPath: "\(board.folder)/\(name)").resolvingSymlinksInPath().path
      try files.copyItem(atPath: place, toPath: "\(board.folder)/share/\(name)")
    }
    defer {
      for name in ["Image", "initrd"] {
        try? files.removeItem(atPath: "\(board.folder)/share/\(name)")
      }
    }
    let entry = """
      boot: {timeout: 2 min}
          recovery:
            - {reconnect: {timeout: 2 s}}
            - bootloader:
                commands: [\(Self.commands.map { "'\($0)'" }.joined(separator: ", "))]
                boot: '\(Self.boot)'
      """
    let isUp =
      try VirtualGuest.program(
        "/usr/bin/timeout",
        ["5", VirtualGuest.root + "/scripts/virtual-bench", "ssh", board.name, "--", "true"]
      ).code == 0
    if !isUp {
      let first = try bench.kelvin(
        [
          "target", "uboot", "rock", "--stop-autoboot", "--timeout", "4 min", "--boot-command",
          Self.boot
        ]
          + ["--", Self.commands.joined(separator: "; ")], bench: try text(entry))
      try #require(first.code == 0, "\(first)")
    }
    let done = try run(
      "rescued",
      """
      config: {augmentations: [execution_time], max_retries: 0}
      workloads:
        - {name: command, params: {argv: [sh, -c, 'reboot -f; sleep 100']}}
        - {name: command, params: {argv: [cat, /proc/cmdline]}}
      """, entry)
    #expect(done.code == 1, "\(done)")
    let rows = try verdicts(of: "rescued")
    try #require(rows.count == 2, "\(done)")
    #expect(
      rows[0].hasPrefix("failed: target: rock") && rows[0].contains("by bootloader"), "\(rows)")
    #expect(rows[1] == "ok: ", "\(rows)")
    #expect(try outputs(of: "rescued").last?.hasSuffix("vb.name=rescued") == true)
    let steps = try query("rescued", "SELECT message FROM events WHERE source = 'recovery'")
      .joined()
    #expect(steps.contains("bootloader: the board is back after"), "\(steps)")
    let log = try String(contentsOfFile: "\(folder)/rescued/run.log", encoding: .utf8)
    #expect(log.contains("rock: is at the prompt of U-Boot 20"), "\(log)")
    let health = try bench.kelvin(["bench", "health", "rock"], bench: try text(entry))
    #expect(health.output.contains("1 by bootloader"), "\(health)")
  }
}
