import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Settling of the kernel's own files; what was there is put back. One after the other: they are the
/// machine's.
@Suite(
  .serialized, .enabled(if: geteuid() == 0, "only root may write the kernel's settings"),
  .timeLimit(.minutes(2)))
struct SettlingSystemTests {
  private static func text(_ result: Result<[UInt8], Errno>) -> String {
    switch result {
    case .success(let bytes): String(decoding: bytes, as: UTF8.self)
    case .failure(let error): "\(error)"
    }
  }

  /// Files, as they are now; they are written back by ``restore(_:)``.
  private static func record(_ paths: [TargetPath]) throws -> [(path: String, bytes: [UInt8])] {
    try paths.map { ($0.string, try LocalFile.read($0.string)) }
  }

  private static func restore(_ records: [(path: String, bytes: [UInt8])]) {
    for (path, bytes) in records { try? LocalFile.write(bytes, to: path) }
  }

  @Test(arguments: ConformanceKind.allCases)
  func settlesTheKernelsSettings(kind: ConformanceKind) async throws {
    let setting: TargetPath = "/proc/sys/kernel/printk_ratelimit"
    let records = try Self.record([setting])
    defer { Self.restore(records) }
    let connection = try kind.connection()
    try LocalFile.write(Array("5\n".utf8), to: setting.string)
    let steps = [
      ValueStep(setting, line: "5"), ValueStep(setting, line: "12"),
      ValueStep(setting, line: "nonsense"), ValueStep(setting, line: "12"),
      ValueStep("/proc/sys/kernel/no-such-setting", line: "1"), ValueStep(setting, line: "10")
    ]
    let outcomes = try await connection.settle(steps, until: soon())
    #expect(outcomes.map { Self.text($0.before) }[..<4] == ["5\n", "5\n", "12\n", "12\n"])
    #expect(
      outcomes.map(\.writing) == [
        .notNeeded, .done, .failed(Errno(EINVAL)), .notNeeded, .failed(.notFound), .done
      ])
    #expect(Self.text(outcomes[0].after) == "10\n" && Self.text(outcomes[5].before) == "12\n")
    #expect(outcomes[4].before == .failure(.notFound) && outcomes[4].after == .failure(.notFound))
    await connection.close()
  }

  /// Writing one of these two makes the other 0.
  @Test(arguments: ConformanceKind.allCases)
  func seesWhatAStepDoesToOthersFiles(kind: ConformanceKind) async throws {
    let (bytes, ratio): (TargetPath, TargetPath) = (
      "/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_ratio"
    )
    let records = try Self.record([bytes, ratio])
    defer { Self.restore(records.filter { $0.bytes != [48, 10] }) }
    try LocalFile.write(Array("20\n".utf8), to: ratio.string)
    let connection = try kind.connection()
    let outcomes = try await connection.settle(
      [
        ValueStep(ratio), ValueStep(bytes, line: "1073741824"), ValueStep(ratio, line: "20"),
        ValueStep(bytes, line: "0"), ValueStep(bytes)
      ], until: soon())
    #expect(outcomes.map { Self.text($0.before) } == ["20\n", "0\n", "0\n", "0\n", "0\n"])
    #expect(outcomes.map(\.writing) == [.notNeeded, .done, .done, .notNeeded, .notNeeded])
    #expect(outcomes.map { Self.text($0.after) } == ["20\n", "0\n", "20\n", "0\n", "0\n"])
    await connection.close()
  }

  private static let choices: TargetPath =
    "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/shmem_enabled"

  @Test(
    .enabled(if: access(choices.string, W_OK) == 0, "the kernel has no huge pages of 64 KiB"),
    arguments: ConformanceKind.allCases)
  func settlesAChoice(kind: ConformanceKind) async throws {
    let first = try LocalFile.read(Self.choices.string)
    let chosen = String(decoding: first, as: UTF8.self).split(separator: "[").last?
      .split(separator: "]").first.map(String.init)
    let word = try #require(chosen)
    defer { try? LocalFile.write(Array(word.utf8), to: Self.choices.string) }
    let other = word == "never" ? "advise" : "never"
    let connection = try kind.connection()
    let outcomes = try await connection.settle(
      [
        ValueStep(Self.choices, line: word), ValueStep(Self.choices, line: other),
        ValueStep(Self.choices, line: other), ValueStep(Self.choices, line: "nonsense")
      ], until: soon())
    #expect(
      outcomes.map(\.writing) == [.notNeeded, .done, .notNeeded, .failed(Errno(EINVAL))])
    #expect(outcomes[0].before == .success(first) && outcomes[1].before == .success(first))
    for outcome in outcomes { #expect(Self.text(outcome.after).contains("[\(other)]")) }
    await connection.close()
  }

  /// Files that nothing but root may touch, for a user who can become root, and for one who cannot.
  @Test(.enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"))
  func aUserSettlesAsRootWhereThereIsAWay() async throws {
    let setting: TargetPath = "/proc/sys/kernel/printk_ratelimit"
    let records = try Self.record([setting])
    defer { Self.restore(records) }
    for way in [RootWay.sudo, .su, .sudoFromBusybox] {
      try LocalFile.write(Array("5\n".utf8), to: setting.string)
      let (board, connection) = try way.board()
      try board.scratch.write("secret", Array("1\n".utf8))
      chmod(board.scratch.path + "/secret", 0o600)
      mkdir(board.scratch.path + "/closed", 0o700)
      try board.scratch.write("closed/value", Array("1\n".utf8))
      let secret = TargetPath(board.scratch.path + "/secret")
      let steps = [
        ValueStep(setting, line: "7"), ValueStep(secret, line: "2"), ValueStep(secret)
      ]
      let outcomes = try await connection.settle(steps, until: soon())
      #expect(outcomes.map(\.writing) == [.done, .done, .notNeeded])
      #expect(outcomes[1].before == .success([49, 10]) && outcomes[2].before == .success([50, 10]))
      #expect(try LocalFile.read(setting.string) == [55, 10])
      await connection.close()
      let without = board.connection(nil)
      let closed = TargetPath(board.scratch.path + "/closed/value")
      let refused = try await without.settle(
        [ValueStep(setting, line: "8")] + steps + [ValueStep(closed, line: "2")], until: soon())
      #expect(
        refused.map(\.writing) == [
          .failed(.permissionDenied), .notNeeded, .failed(.permissionDenied), .notNeeded,
          .failed(.permissionDenied)
        ])
      #expect(refused[2].before == .failure(.permissionDenied))
      #expect(refused[4].before == .failure(.permissionDenied))
      #expect(refused[0].after == .success([55, 10]))
      await without.close()
    }
  }

  /// A way to root that is none is told, and nothing was written.
  @Test(.enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"))
  func aUserWhoDoesNotBecomeRootIsToldWhy() async throws {
    let board = try RootBoard(rules: [])
    let connection = board.connection(RootAccess(.sudo, password: board.password("user")))
    let failure = await #expect(throws: ConnectionFailure.self) {
      _ = try await connection.settle(
        [ValueStep("/proc/sys/kernel/printk_ratelimit", line: "77")], until: soon())
    }
    #expect(failure?.code == .permissionDenied)
    #expect(try LocalFile.read("/proc/sys/kernel/printk_ratelimit") != Array("77\n".utf8))
    await connection.close()
  }

  @Test(
    .enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"),
    arguments: ShellValuesTests.shells)
  func aReadOnlyFileSystemIsNamed(shell: [String]) async throws {
    let scratch = try Scratch()
    try scratch.write("value", Array("1\n".utf8))
    let mount =
      "mount --bind \(scratch.path) \(scratch.path) && "
      + "mount -o remount,ro,bind \(scratch.path) && exec \"$@\""
    let connection = ShellConnection(argv: ["unshare", "-m", "sh", "-c", mount, "sh"] + shell)
    let value = TargetPath(scratch.path + "/value")
    let outcomes = try await connection.settle(
      [ValueStep(value, line: "2"), ValueStep(value, line: "1")], until: soon())
    #expect(outcomes.map(\.writing) == [.failed(Errno(EROFS)), .notNeeded])
    #expect(outcomes.map { Self.text($0.after) } == ["1\n", "1\n"])
    await connection.close()
  }

  /// Twenty settings of sysfs, half of which differ.
  @Test(
    .enabled(if: access(choices.string, W_OK) == 0, "the kernel has no huge pages of 64 KiB"),
    .enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"),
    arguments: ShellValuesTests.shells.filter { $0 != ["mksh"] })
  func costsOneRoundTripAndTwoProcesses(shell: [String]) async throws {
    let directory = "/sys/kernel/mm/transparent_hugepage/"
    let paths = SmallFile.names(in: directory).filter { $0.hasPrefix("hugepages-") }
      .flatMap { ["\($0)/shmem_enabled", "\($0)/enabled"] }
      .filter { access(directory + $0, W_OK) == 0 }
      .map { TargetPath(directory + $0) }.prefix(20)
    let steps = try paths.map { path in
      let text = String(decoding: try LocalFile.read(path.string), as: UTF8.self)
      let word = text.split(separator: "[").last?.split(separator: "]").first ?? ""
      return ValueStep(path, line: String(word), isAlwaysWritten: path.string.contains("shmem"))
    }
    let scratch = try Scratch()
    // Its own process ids, and all that is said to the shell in a file.
    let connection = ShellConnection(argv: [
      "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
      "tee \(scratch.path)/said | \(shell.joined(separator: " "))"
    ])
    func last() async throws -> Int {
      let text = String(
        decoding: try await connection.read("/proc/loadavg", until: soon()), as: UTF8.self)
      return try #require(text.split { $0 == " " || $0 == "\n" }.last.flatMap { Int($0) })
    }
    func requests() throws -> Int {
      String(decoding: try scratch.read("said"), as: UTF8.self)
        .split(separator: "\n").count { $0.contains("\\036") && $0.contains("kelvin_status") }
    }
    // The first one in a shell finds out what its printf tells.
    _ = try await connection.settle(steps, until: soon())
    let first = try await last()
    let own = try await last() - first
    let (before, said) = (try await last(), try requests())
    let outcomes = try await connection.settle(steps, until: soon())
    #expect(try requests() - said == 1)
    #expect(try await last() - before - own == 2)
    #expect(Set(outcomes.map(\.writing)) == [.done, .notNeeded])
    await connection.close()
  }
}
