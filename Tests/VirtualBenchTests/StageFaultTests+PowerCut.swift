import Foundation
import Glibc
import KelvinModel
import Testing

// The supply goes while the board writes: its disk is QEMU's, and what the kernel had not written is gone.
extension StageFaultTests {
  /// A file that is replaced is the old one or the new one, and pushing it again makes it the new one.
  @Test func aPowerCutInAPushLeavesTheOldFileOrTheNew() throws {
    let board = try #require(VirtualGuest.current)
    let bench = try KelvinBench()
    let folder =
      NSTemporaryDirectory() + "kelvin-powercut-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let disk = "\(folder)/disk"
    let made = try VirtualGuest.program("/sbin/mke2fs", ["-q", "-t", "ext4", disk, "96M"])
    try #require(made.code == 0, "\(made)")
    let text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}

      """
    try write(3 << 20, to: "\(folder)/old")
    try write(24 << 20, to: "\(folder)/new")
    let sums = try ["old", "new"].map { try sum("\(folder)/\($0)") }
    func push(_ name: String) throws -> VirtualGuest.Done {
      try bench.kelvin(["target", "push", "rock", "\(folder)/\(name)", "/mnt/file"], bench: text)
    }
    do {
      let monitor = try GuestMonitor(board)
      try monitor.execute(
        "blockdev-add",
        [
          "node-name": "disk", "driver": "raw",
          "file": ["driver": "file", "filename": .text(disk)]
        ])
      try monitor.execute(
        "device_add", ["driver": "virtio-blk-pci", "drive": "disk", "id": "disk"])
    }
    let mount =
      "modprobe -a virtio_blk ext4; while ! mount -t ext4 /dev/vda /mnt; do sleep 0.1; done"
    try board.run(mount)
    let first = try push("old")
    try #require(first.code == 0, "\(first)")
    try board.run("sync")

    let pushing = try bench.start(
      ["target", "push", "rock", "\(folder)/new", "/mnt/file"], bench: text)
    // The file's own bytes are on their way to the disk by then.
    try VirtualGuest.wait("the file is being written") {
      let count = try board.run(
        "cat /mnt/*kelvin*/* /mnt/.*kelvin* /mnt/*kelvin* 2>/dev/null | wc -c")
      return (Int(count) ?? 0) > 4 << 20 || !pushing.isRunning
    }
    #expect(pushing.isRunning)
    try cutPower(of: board)
    pushing.waitUntilExit()
    #expect(pushing.terminationStatus != 0)
    try VirtualGuest.wait("the board is up again") {
      try VirtualGuest.script(["ssh", board.name, "--", "[ ! -d /mnt/lost+found ]"]).code == 0
    }
    try board.run(mount)
    #expect(try sums.contains(board.run("sha256sum < /mnt/file | cut -c1-64")))
    let again = try push("new")
    #expect(again.code == 0, "\(again)")
    #expect(try board.run("sha256sum < /mnt/file | cut -c1-64") == sums[1])
    // Nothing is left beside it.
    #expect(try board.run("ls -A /mnt | sort | tr '\\n' ' '") == "file lost+found")

    // What was told to be stored is there whole after a cut, too, or what it took the place of is.
    let last = try push("old")
    #expect(last.code == 0, "\(last)")
    try cutPower(of: board)
    try VirtualGuest.wait("the board is up again") {
      try VirtualGuest.script(["ssh", board.name, "--", "[ ! -d /mnt/lost+found ]"]).code == 0
    }
    try board.run(mount)
    #expect(try sums.contains(board.run("sha256sum < /mnt/file | cut -c1-64")))
    try board.run("umount /mnt")
  }

  /// Nothing of its memory is left, and it boots.
  private func cutPower(of board: VirtualGuest) throws {
    let monitor = try GuestMonitor(board)
    for order in ["stop", "system_reset", "cont"] { try monitor.execute(order) }
  }

  private func write(_ count: Int, to path: String) throws {
    let done = try VirtualGuest.program(
      "/bin/sh", ["-c", "head -c \(count) /dev/urandom >'\(path)'"])
    try #require(done.code == 0, "\(done)")
  }

  private func sum(_ path: String) throws -> String {
    String(try VirtualGuest.program("/usr/bin/sha256sum", [path]).output.prefix(64))
  }
}
