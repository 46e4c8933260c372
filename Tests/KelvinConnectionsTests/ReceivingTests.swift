import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

/// What a target runs to take a file.
@Suite(.timeLimit(.minutes(2)))
struct ReceivingTests {
  static let shells = [["dash"], ["bash"], ["busybox", "ash"], ["mksh"]]

  /// Runs it with input that comes in three pieces, a while apart, behind what is there already.
  private func receive(
    _ shell: [String], into scratch: Scratch, path: String = "/usr/bin:/bin", there: Int = 0
  ) async throws -> CommandResult {
    let script = """
      { head -c 30000; /bin/sleep 0.3; head -c 30000; /bin/sleep 0.5; cat; } <"$1" | \
      PATH=\(path) \(shell.joined(separator: " ")) -c "$2" sh "$3" \(there) x NONCE
      """
    return try await LocalConnection().execute(
      Command([
        "bash", "-c", script, "bash", scratch.path + "/given", ShellConnection.receiving,
        scratch.path + "/taken"
      ]), until: soon())
  }

  private func lines(_ result: CommandResult) -> [Array<UInt8>.SubSequence] {
    result.standardOutput.bytes.split(separator: 10).filter { !$0.elementsEqual("NONCE".utf8) }
  }

  @Test(arguments: shells)
  func readsBackWhatHasComeWhileTheRestStillComes(shell: [String]) async throws {
    let scratch = try Scratch()
    let bytes = FastbootTests.noise(90_000, seed: 31)
    try scratch.write("given", bytes)
    var checksum = PosixChecksum()
    bytes.withUnsafeBytes { checksum.update($0) }
    let result = try await receive(shell, into: scratch)
    #expect(result.isSuccess, "\(result.standardError.text)")
    #expect(try scratch.read("taken") == bytes)
    let lines = lines(result)
    #expect(lines.count > 1, "\(result.standardOutput.text)")
    #expect(ShellConnection.says(lines, checksum))
    // Nothing else is believed: other bytes, lines that lack, or more of them.
    var other = PosixChecksum()
    (bytes.dropLast() + [bytes[bytes.count - 1] ^ 1]).withUnsafeBytes { other.update($0) }
    #expect(!ShellConnection.says(lines, other))
    #expect(!ShellConnection.says(lines.dropLast(), checksum))
    #expect(!ShellConnection.says(lines + lines.suffix(1), checksum))
    #expect(!ShellConnection.says([Array("90000".utf8), Array("90000".utf8)], checksum))
  }

  /// An earlier copy's beginning is read back with the rest.
  @Test func readsBackWhatWasThereBefore() async throws {
    let scratch = try Scratch()
    let bytes = FastbootTests.noise(70_000, seed: 32)
    try scratch.write("given", bytes)
    try scratch.write("taken", Array("before".utf8))
    let result = try await receive(["dash"], into: scratch, there: 6)
    var checksum = PosixChecksum()
    (Array("before".utf8) + bytes).withUnsafeBytes { checksum.update($0) }
    #expect(ShellConnection.says(lines(result), checksum))
  }

  /// Without a sleep of tenths, and without a cksum.
  @Test(arguments: [["cksum", "sleep"], ["cksum"], ["sleep"]])
  func doesWithoutToolsThatATargetLacks(tools: [String]) async throws {
    let scratch = try Scratch()
    let bytes = FastbootTests.noise(70_000, seed: 33)
    try scratch.write("given", bytes)
    mkdir(scratch.path + "/bin", 0o755)
    for tool in ["cat", "rm", "mkdir", "wc"] + tools.filter({ $0 != "sleep" }) {
      symlink("/bin/\(tool)", scratch.path + "/bin/\(tool)")
      if access(scratch.path + "/bin/\(tool)", X_OK) != 0 {
        unlink(scratch.path + "/bin/\(tool)")
        symlink("/usr/bin/\(tool)", scratch.path + "/bin/\(tool)")
      }
    }
    try scratch.write(
      "bin/sleep", Array("#!/bin/dash\ncase $1 in *.*) exit 1;; esac; exec /bin/sleep $1\n".utf8))
    if tools.contains("sleep") { chmod(scratch.path + "/bin/sleep", 0o755) }
    var checksum = PosixChecksum()
    bytes.withUnsafeBytes { checksum.update($0) }
    let result = try await receive(["/bin/dash"], into: scratch, path: scratch.path + "/bin")
    let lines = lines(result)
    #expect(result.isSuccess && lines.count == 1, "\(result.standardError.text)")
    #expect(ShellConnection.says(lines, checksum))
    #expect(try scratch.read("taken") == bytes)
  }
}
