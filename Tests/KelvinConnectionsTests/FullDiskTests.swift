import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Boards that cannot store what is copied to them, or have no /tmp.
@Suite(
  .serialized, .enabled(if: geteuid() == 0, "mounts file systems: needs root"),
  .timeLimit(.minutes(2)))
struct FullDiskTests {
  /// A file system of 12 MiB that ends with its last reference.
  final class SmallDisk {
    let scratch: Scratch
    let path: String

    init() throws {
      scratch = try Scratch()
      path = scratch.path + "/disk"
      mkdir(path, 0o755)
      guard mount("none", path, "tmpfs", 0, "size=12m,mode=755") == 0 else { throw Errno.current }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }
  }

  @Test(arguments: ResumedCopyTests.Way.possible, [3_000_000, 40_000_000])
  func aFullDiskIsAnErrorThatSaysSoAndLeavesNothing(
    way: ResumedCopyTests.Way, size: Int
  ) async throws {
    let disk = try SmallDisk()
    let bench = try ResumedCopyTests.Bench(way)
    // What is there leaves room for less than the file.
    let used = [UInt8](repeating: 1, count: size < 10_000_000 ? 10_500_000 : 1000)
    try disk.scratch.write("disk/old", used)
    try bench.scratch.write("big", [UInt8](repeating: 7, count: size))
    do {
      try await bench.connection.push(
        bench.scratch.path + "/big", to: TargetPath(disk.path + "/new"), mode: 0o644,
        until: .after(seconds: 30))
      Issue.record("it was stored")
    } catch {
      #expect(error.code == .system(.noSpace), "\(error.message)")
      #expect(error.hint.contains("free some space"))
      #expect(error.message.contains("/new"))
    }
    #expect(SmallFile.names(in: disk.path) == ["old"])
    // And the next one is stored.
    try bench.scratch.write("big", [8])
    try await bench.connection.push(
      bench.scratch.path + "/big", to: TargetPath(disk.path + "/new"), mode: 0o644, until: soon())
    #expect(try disk.scratch.read("disk/new") == [8])
    await bench.end()
  }

  /// A host whose disk is full says so, and leaves nothing either.
  @Test(arguments: ResumedCopyTests.Way.possible)
  func aFullDiskOfTheHostIsAnErrorThatSaysSo(way: ResumedCopyTests.Way) async throws {
    let disk = try SmallDisk()
    let bench = try ResumedCopyTests.Bench(way)
    do {
      try await bench.connection.pull(
        TargetPath(bench.scratch.path + "/big"), to: disk.path + "/new",
        until: .after(seconds: 30))
      Issue.record("it was stored")
    } catch {
      #expect(error.code == .hostFile(.noSpace), "\(error.message)")
      #expect(error.message.contains("/new"))
    }
    #expect(SmallFile.names(in: disk.path).isEmpty)
    await bench.end()
  }

  @Test(arguments: [["dash"], ["bash"], ["busybox", "ash"], ["mksh"]])
  func aBoardWithoutTemporaryDirectoriesDoesAll(shell: [String]) async throws {
    let words = shell.joined(separator: " ")
    let connection = ShellConnection(argv: [
      "unshare", "-m", "sh", "-c",
      "for d in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o ro none $d; done; exec \(words)"
    ])
    let scratch = try Scratch()
    try scratch.write("small", [1, 0, 255])
    try scratch.write("big", [UInt8](repeating: 9, count: 9_000_000))
    let there = "/var/lib/kelvin-test-\(getpid())-\(shell[0])"
    let gone = try await connection.execute(
      Command(["sh", "-c", ": >/tmp/x"]), until: soon())
    #expect(!gone.isSuccess)
    for name in ["small", "big"] {
      try await connection.push(
        scratch.path + "/" + name, to: TargetPath("\(there)/\(name)"), mode: 0o600, until: soon())
      try await connection.pull(
        TargetPath("\(there)/\(name)"), to: scratch.path + "/back", until: soon())
      #expect(try scratch.read("back") == scratch.read(name))
    }
    let copies = (0..<3).map {
      FileCopy(hostPath: scratch.path + "/small", path: TargetPath("\(there)/\($0)"), size: 3)
    }
    try await connection.push(copies, until: soon())
    let results = try await connection.read(copies.map(\.path), until: soon())
    #expect(try results.map { try $0.get() } == [[1, 0, 255], [1, 0, 255], [1, 0, 255]])
    let long = String(repeating: "long ", count: 20_000)
    let said = try await connection.execute(Command(["sh", "-c", "echo $0", long]), until: soon())
    #expect(said.standardOutput.bytes.count == long.utf8.count)
    try await connection.remove(TargetPath(there), until: soon())
    await connection.close()
  }
}
