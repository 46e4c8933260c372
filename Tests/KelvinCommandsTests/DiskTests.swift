import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// Disks that fill, directories that vanish, paths that cannot be written.
@Suite struct DiskTests {
  static let isRoot = geteuid() == 0

  @Test(.timeLimit(.minutes(1)), .enabled(if: isRoot, "needs root to mount a small tmpfs"))
  func aFullDiskEndsTheRunAndLosesNothing() async throws {
    let scratch = try Scratch()
    let small = scratch.path + "/small"
    mkdir(small, 0o755)
    try #require(mount("tmpfs", small, "tmpfs", 0, "size=3m") == 0, "no tmpfs: \(Errno.current)")
    defer { umount2(small, Int32(MNT_DETACH)) }
    // Each job leaves 400 kB, so that the disk is full after a few.
    try scratch.write(
      "a.yaml",
      """
      config: {augmentations: [execution_time], max_retries: 0}
      workloads:
        - name: command
          params: {argv: [sh, -c, 'head -c 400000 /dev/urandom; echo; echo value 7'], metrics: {v: 'value ([0-9]+)'}}
          iterations: 12
      """)
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "small/out"], in: scratch.path)
    #expect(ran.code == 3 || ran.code == 1, "\(ran.both)")
    #expect(ran.errors.lowercased().contains("space") || ran.errors.contains("full"), "\(ran.both)")
    let reader = try RunReader(directory: small + "/out")
    let ok = try reader.jobs().filter { $0.outcome?.verdict == .ok }
    #expect(!ok.isEmpty)
    for job in ok {
      let attempt = try #require(try reader.attempts(ofJob: job.position).last)
      #expect(try reader.metrics(ofAttempt: attempt.id).contains { $0.value == .integer(7) })
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func aVanishedRunDirectoryIsAClearError() async throws {
    let scratch = try Scratch()
    try scratch.write(
      "a.yaml",
      """
      workloads:
        - name: command
          params: {argv: [sh, -c, 'rm -rf out']}
          iterations: 2
      """)
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "out"], in: scratch.path)
    #expect(ran.code == 3, "\(ran.both)")
    #expect(ran.errors.contains("out"), "\(ran.errors)")
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["/proc/kelvin-run", "/dev/null/run"])
  func anUnwritableRunDirectoryIsAClearError(path: String) async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", path], in: scratch.path)
    #expect(ran.code == 2, "\(ran.both)")
    #expect(ran.errors.contains(path))
  }
}
