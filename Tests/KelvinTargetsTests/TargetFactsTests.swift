import Glibc
import KelvinConnections
import KelvinModel
import KelvinTargets
import Testing

/// What a board says it is.
@Suite(.timeLimit(.minutes(1))) struct TargetFactsTests {
  @Test(arguments: connectionNames)
  func readsThisMachine(through name: String) async throws {
    let facts = try await TargetFacts.read(through: makeConnection(name), until: soon)
    var names = utsname()
    #expect(uname(&names) == 0)
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    #expect(facts.kernelRelease == text(names.release))
    #expect(facts.kernelVersion == text(names.version))
    #expect(facts.machine == text(names.machine))
    #expect(facts.hostName == text(names.nodename))
    #expect(facts.bootID.count == 36)
    #expect(facts.onlineCPUs.count == sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    #expect(facts.fingerprint["boot id"] == facts.bootID)
    #expect(facts.fingerprint["kernel"] == facts.kernelRelease)
  }

  @Test func bothConnectionsSeeTheSame() async throws {
    let local = try await TargetFacts.read(through: LocalConnection(), until: soon)
    let shell = try await TargetFacts.read(through: ShellConnection(), until: soon)
    #expect(local == shell)
  }

  /// A recorded board with a device tree.
  private func recordedTree() throws -> Directory {
    let tree = try Directory()
    let kernel = "proc/sys/kernel"
    try tree.write("\(kernel)/random/boot_id", "8f5a1c1e-5a0e-4b0e-9c57-0c1d2e3f4a5b\n")
    try tree.write("\(kernel)/osrelease", "6.6.31-v8\n")
    try tree.write("\(kernel)/version", "#1 SMP PREEMPT Wed May 15 2024\n")
    try tree.write("\(kernel)/arch", "aarch64\n")
    try tree.write("\(kernel)/hostname", "rock\n")
    try tree.write("proc/cmdline", "console=ttyS2,1500000n8 root=/dev/mmcblk0p2 isolcpus=3\n")
    try tree.write("proc/device-tree/model", "Radxa ROCK 5B\u{0}")
    try tree.write("proc/config.gz", "not really gzip")
    try tree.write("sys/devices/system/cpu/online", "0-3,6\n")
    return tree
  }

  @Test func readsARecordedTree() async throws {
    let tree = try recordedTree()
    let facts = try await TargetFacts.read(
      through: LocalConnection(root: tree.path), until: soon)
    #expect(facts.bootID == "8f5a1c1e-5a0e-4b0e-9c57-0c1d2e3f4a5b")
    #expect(facts.kernelRelease == "6.6.31-v8")
    #expect(facts.abi == "arm64")
    #expect(facts.hostName == "rock")
    #expect(facts.firmware == "Radxa ROCK 5B")
    #expect(facts.kernelCommandLine.hasSuffix("isolcpus=3"))
    #expect(facts.onlineCPUs == [0, 1, 2, 3, 6])
    #expect(
      facts.kernelConfiguration == Checksum.sha256(Array("not really gzip".utf8)))
    #expect(facts.fingerprint["firmware"] == "Radxa ROCK 5B")
  }

  @Test func whatIsMissingOrDamagedIsLeftOut() async throws {
    let tree = try Directory()
    try tree.write("proc/sys/kernel/random/boot_id", "id\n")
    try tree.write("proc/sys/kernel/osrelease", "no-such-kernel\n")
    try tree.write("proc/sys/kernel/arch", "\u{7f}\u{0}\n")
    try tree.write("sys/devices/system/cpu/online", "0-99999999999\n")
    let facts = try await TargetFacts.read(
      through: LocalConnection(root: tree.path), until: soon)
    #expect(facts.onlineCPUs == [])
    #expect(facts.kernelConfiguration == nil)
    #expect(facts.firmware == "")
    #expect(facts.fingerprint["firmware"] == nil)
    #expect(facts.fingerprint["kernel configuration"] == nil)
  }

  @Test func aTargetWithoutProcIsAnErrorThatSaysWhatItMustHave() async throws {
    let tree = try Directory()
    try tree.write("proc/nothing", "")
    do {
      _ = try await TargetFacts.read(through: LocalConnection(root: tree.path), until: soon)
      Issue.record("a tree without facts was accepted")
    } catch {
      #expect(error.code == .unsupported)
      #expect(error.hint.contains("/proc"))
    }
  }

  @Test(arguments: [
    ("x86_64", "x86_64"), ("aarch64", "arm64"), ("armv7l", "armeabi"), ("armv8l", "armeabi"),
    ("i686", "x86"), ("riscv64", "riscv64")
  ])
  func namesTheABIAsWorkloadAutomationDoes(machine: String, abi: String) async throws {
    let tree = try recordedTree()
    try tree.write("proc/sys/kernel/arch", machine + "\n")
    let facts = try await TargetFacts.read(
      through: LocalConnection(root: tree.path), until: soon)
    #expect(facts.abi == abi)
  }

  @Test func factsAreKeptUntilTheyAreForgotten() async throws {
    let tree = try recordedTree()
    let target = Target(
      name: "rock", connection: LocalConnection(root: tree.path), runID: "facts-\(getpid())")
    #expect(try await target.facts(until: soon).hostName == "rock")
    try tree.write("proc/sys/kernel/hostname", "pebble\n")
    #expect(try await target.facts(until: soon).hostName == "rock")
    target.forgetFacts()
    #expect(try await target.facts(until: soon).hostName == "pebble")
  }

  @Test func aBoardAnswersWhileItsBootIDCanBeRead() async throws {
    let tree = try recordedTree()
    let target = Target(
      name: "rock", connection: LocalConnection(root: tree.path), runID: "answers-\(getpid())")
    #expect(await target.isResponsive())
    #expect(
      try await target.bootID(until: soon) == "8f5a1c1e-5a0e-4b0e-9c57-0c1d2e3f4a5b")
    try await LocalConnection().remove(TargetPath(tree.path + "/proc"), until: soon)
    #expect(await !target.isResponsive())
  }
}
