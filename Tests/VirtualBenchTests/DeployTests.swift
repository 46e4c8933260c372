import Foundation
import Glibc
import Testing

/// Kernels that jobs need, on a real one: started by kexec, known by build id, gone with the run.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(10)))
struct DeployTests {
  let bench: KelvinBench
  let board: VirtualGuest
  let folder: String
  /// The kernel that the guest runs, as a boot loader takes it, and unpacked.
  let packed: String
  let unpacked: String

  init() throws {
    bench = try KelvinBench()
    board = try #require(VirtualGuest.current)
    folder = NSTemporaryDirectory() + "kelvin-deploy-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let command = try String(contentsOfFile: board.folder + "/command", encoding: .utf8)
      .split(separator: "\n").map(String.init)
    let index = try #require(command.firstIndex(of: "-kernel"))
    unpacked = command[index + 1]
    packed = URL(fileURLWithPath: unpacked).deletingLastPathComponent().path + "/vmlinuz"
  }

  private func run(
    _ name: String, _ agenda: String, deploy: String
  ) throws -> (done: VirtualGuest.Done, rows: [String]) {
    let path = "\(folder)/\(name).yaml"
    try agenda.write(toFile: path, atomically: true, encoding: .utf8)
    let done = try bench.kelvin(
      ["run", path, "--board", "rock", "-d", "\(folder)/\(name)"],
      bench: """
        boards:
          rock:
            profile: virtual-x86
            connection:
              ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
            deploy: \(deploy)
            boot: {timeout: 3 min}

        """)
    let rows = try VirtualGuest.program(
      "/usr/bin/sqlite3",
      [
        "\(folder)/\(name)/run.db", "SELECT verdict || ': ' || reason FROM jobs ORDER BY position"
      ]
    ).output.split(separator: "\n").map(String.init)
    return (done, rows)
  }

  private func outputs(of run: String) throws -> [String] {
    try VirtualGuest.program("/bin/sh", ["-c", "cat \(folder)/\(run)/jobs/*/*/stdout"]).output
      .split(separator: "\n").map(String.init)
  }

  /// One boot by kexec for the jobs that need it, and one back for the job that does not.
  @Test func kexecStartsAKernelOnce() throws {
    let (done, rows) = try run(
      "kexec",
      """
      config: {augmentations: [execution_time], max_retries: 0, execution_order: by_workload}
      workloads:
        - name: command
          iterations: 2
          params: {argv: [cat, /proc/sys/kernel/random/boot_id, /proc/cmdline]}
          deploy:
            kernel: \(packed)
            initrd: \(board.folder)/initrd
            command_line: >-
              console=ttyS0,115200 panic=1 quiet nokaslr mitigations=off
              vb.role=board vb.name=new memmap=64K$0xF000000
        - name: command
          params: {argv: [cat, /proc/sys/kernel/random/boot_id, /proc/cmdline]}
      """, deploy: "{kexec: {options: [-i]}}")
    #expect(done.code == 0, "\(done)")
    #expect(rows == ["ok: ", "ok: ", "ok: "])
    let lines = try outputs(of: "kexec")
    try #require(lines.count == 6, "\(lines)")
    #expect(lines[0] == lines[2] && lines[0] != lines[4], "\(lines)")
    #expect(lines[1].contains("vb.name=new") && lines[5].contains("vb.name=test-x86-a"), "\(lines)")
    let fingerprint = try VirtualGuest.program(
      "/usr/bin/sqlite3", ["\(folder)/kexec/run.db", "SELECT content FROM fingerprints"]
    ).output
    #expect(fingerprint.contains("\"deployed by\":\"kexec\""), "\(fingerprint)")
    let id = try board.run("xxd -p /sys/kernel/notes | tr -d '\\n'")
    let start = try #require(fingerprint.firstRange(of: "\"kernel build id\":\"")).upperBound
    #expect(id.contains(fingerprint[start...].prefix(40)), "\(id)")
  }

  /// The board boots, and another kernel than the wanted one runs: no job does.
  @Test func anImageThatDoesNotRunIsTold() throws {
    var elf = try #require(FileManager.default.contents(atPath: unpacked))
    let id = try board.run("xxd -p /sys/kernel/notes | tr -d '\\n'")
    let mark = try #require(id.firstRange(of: "474e5500")).upperBound
    let own = String(id[mark...].prefix(40))
    let raw = stride(from: 0, to: 40, by: 2).compactMap { at -> UInt8? in
      let start = own.index(own.startIndex, offsetBy: at)
      return UInt8(own[start..<own.index(start, offsetBy: 2)], radix: 16)
    }
    let place = try #require(elf.range(of: Data(raw)))
    elf[place.lowerBound] ^= 0xFF
    try elf.write(to: URL(fileURLWithPath: folder + "/elf"))
    let (done, rows) = try run(
      "wrong",
      """
      config: {augmentations: [execution_time], max_retries: 0}
      workloads:
        - {name: command, params: {argv: ['true']}, deploy: {kernel: elf}}
        - {name: command, params: {argv: ['true']}, deploy: {kernel: \(unpacked)}}
      """, deploy: "{command: 'true'}")
    #expect(done.code == 1, "\(done)")
    try #require(rows.count == 2, "\(done)")
    #expect(rows[0].hasPrefix("failed: target: rock: does not run what was deployed"), "\(rows)")
    #expect(rows[0].contains("build id ") && rows[0].contains("\(own) runs"), "\(rows)")
    // Known by its build id: it runs already.
    #expect(rows[1] == "ok: ", "\(rows)")
  }

  @Test func aPlanIsRefusedBeforeTheBoardIsTouched() throws {
    let before = try board.run("cat /proc/sys/kernel/random/boot_id")
    let (done, _) = try run(
      "gone",
      "workloads: [{name: command, params: {argv: ['true']}, deploy: {by: kexec, kernel: gone}}]",
      deploy: "{}")
    #expect(done.code == 2 && done.error.contains("gone: No such file"), "\(done)")
    let (other, _) = try run(
      "way",
      """
      workloads: [{name: command, params: {argv: ['true']}, deploy: {by: uboot, kernel: \(packed)}}]
      """, deploy: "{command: 'true'}")
    #expect(other.code != 0 && other.error.contains("rock cannot be deployed to"), "\(other)")
    #expect(try board.run("cat /proc/sys/kernel/random/boot_id") == before)
  }
}

/// A board that waits in U-Boot for what it is given: a real kernel, by TFTP.
@Suite(.serialized, .needsGuests, .guest("uboot", ["--network"]), .timeLimit(.minutes(10)))
struct DeployByUBootTests {
  let bench: KelvinBench
  let board: VirtualGuest
  let folder: String

  init() throws {
    bench = try KelvinBench()
    board = try #require(VirtualGuest.current)
    folder = NSTemporaryDirectory() + "kelvin-uboot-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func run(
    _ name: String, _ agenda: String, directory: String, server: String = "server: 10.0.2.2"
  ) throws -> VirtualGuest.Done {
    try run(
      name, agenda,
      """
      power: {qmp: \(board.folder)/qmp.sock}
          boot: {timeout: 2 min, off: 0.2 s}
          deploy:
            uboot: {directory: \(directory), \(server), boots_itself: false}
      """)
  }

  /// A bench file with the guest as `rock`, and more in its entry.
  func text(_ more: String) throws -> String {
    """
    boards:
      rock:
        profile: generic-linux
        connection:
          ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
        console: {serial: {path: \(board.console)}}
        bootloader: uboot
        \(more)

    """
  }

  func run(_ name: String, _ agenda: String, _ more: String) throws -> VirtualGuest.Done {
    let path = "\(folder)/\(name).yaml"
    try agenda.write(toFile: path, atomically: true, encoding: .utf8)
    return try bench.kelvin(
      ["run", path, "--board", "rock", "-d", "\(folder)/\(name)"], bench: try text(more))
  }

  func query(_ run: String, _ sql: String) throws -> [String] {
    try VirtualGuest.program("/usr/bin/sqlite3", ["\(folder)/\(run)/run.db", sql]).output
      .split(separator: "\n").map(String.init)
  }

  func deploy(_ words: String) -> String {
    """
    kernel: \(board.folder)/Image, initrd: \(board.folder)/initrd,
            command_line: 'console=ttyAMA0,115200 panic=1 quiet vb.role=board \(words)'
    """
  }

  @Test func aKernelIsLoadedByNetworkOnceForTheJobsThatNeedIt() throws {
    // Not yet: nobody serves what is put there.
    let none = try run(
      "none",
      """
      config: {augmentations: [execution_time], max_retries: 0, deploy: {by: uboot}}
      workloads:
        - name: command
          params: {argv: ['true']}
          deploy: {\(deploy("vb.name=no"))}
      """, directory: folder)
    // A board that answered before has an attempt that failed; another one keeps the run from beginning.
    #expect(none.code == 1 || none.code == 3, "\(none)")
    #expect(none.error.contains("does not come by TFTP"), "\(none)")
    // The former is taken out, since nothing brings it back.
    _ = try bench.kelvin(["bench", "enable", "rock"], bench: text("boot: {timeout: 2 min}"))
    #expect(none.error.contains("File not found"), "\(none)")

    let done = try run(
      "two",
      """
      config:
        augmentations: [execution_time]
        max_retries: 0
        deploy: {by: uboot, \(deploy("vb.name=one"))}
      workloads:
        - {name: command, params: {argv: [cat, /proc/sys/kernel/random/boot_id, /proc/cmdline]}}
        - {name: command, params: {argv: [cat, /proc/sys/kernel/random/boot_id, /proc/cmdline]}}
      """, directory: board.folder + "/share")
    #expect(done.code == 0, "\(done)")
    #expect(try verdicts(of: "two") == ["ok: ", "ok: "])
    let lines = try outputs(of: "two")
    try #require(lines.count == 4, "\(lines)")
    #expect(lines[0] == lines[2] && lines[1].hasSuffix("vb.name=one"), "\(lines)")
    let fingerprints = try query("two", "SELECT content FROM fingerprints").joined()
    #expect(fingerprints.contains("\"deployed by\":\"uboot\""), "\(fingerprints)")
    // Nothing is left with the server.
    #expect(try FileManager.default.contentsOfDirectory(atPath: board.folder + "/share") == [])
  }

  /// U-Boot asks somebody who never answers, and gives up; so does the run.
  @Test func aSilentServerIsGivenUp() throws {
    let done = try run(
      "silent",
      """
      config: {augmentations: [execution_time], max_retries: 0, deploy: {by: uboot}}
      workloads:
        - name: command
          params: {argv: ['true']}
          deploy: {\(deploy("vb.name=no"))}
      """, directory: board.folder + "/share",
      server: """
        server: 10.0.2.3, network: 'setenv tftptimeout 1000; setenv tftptimeoutcountmax 3; dhcp'
        """)
    // A board that answered before has an attempt that failed; another one keeps the run from beginning.
    #expect(done.code == 1 || done.code == 3, "\(done)")
    #expect(done.error.contains("does not come by TFTP"), "\(done)")
    #expect(done.error.contains("Retry count exceeded"), "\(done)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: board.folder + "/share") == [])
  }

  func verdicts(of run: String) throws -> [String] {
    try query(run, "SELECT verdict || ': ' || reason FROM jobs ORDER BY position")
  }

  func outputs(of run: String) throws -> [String] {
    try VirtualGuest.program("/bin/sh", ["-c", "cat \(folder)/\(run)/jobs/*/*/stdout"]).output
      .split(separator: "\n").map(String.init)
  }

  /// A power cycle leads it to its prompt only: it is given its image again.
  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["KELVIN_LONG_TESTS"] != nil,
      "takes a minute: KELVIN_LONG_TESTS=1"))
  func aBoardWithoutASystemIsBroughtBack() throws {
    let done = try run(
      "lost",
      """
      config:
        augmentations: [execution_time]
        max_retries: 0
        deploy: {by: uboot, \(deploy("vb.name=one"))}
      workloads:
        - {name: command, params: {argv: [cat, /proc/sys/kernel/random/boot_id, /proc/cmdline]}}
        - {name: command, params: {argv: [sh, -c, 'reboot -f; sleep 100']}}
        - {name: command, params: {argv: [cat, /proc/sys/kernel/random/boot_id, /proc/cmdline]}}
      """, directory: board.folder + "/share")
    #expect(done.code == 1, "\(done)")
    let rows = try verdicts(of: "lost")
    try #require(rows.count == 3, "\(rows)")
    #expect(rows[0] == "ok: " && rows[2] == "ok: ", "\(rows)")
    #expect(rows[1].hasPrefix("failed: target: rock"), "\(rows)")
    #expect(rows[1].contains("by power_cycle"), "\(rows)")
    let lines = try outputs(of: "lost")
    try #require(lines.count == 4, "\(lines)")
    #expect(lines[0] != lines[2] && lines[1] == lines[3], "\(lines)")
  }
}
