import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// What every connection promises of files, values and listings.
@Suite struct FileConformanceTests {
  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func readsFilesAndNamesEachFailure(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    try scratch.write("bin", [0, 10, 255, 10, 10])
    try scratch.write("empty", [])
    try scratch.write("a 'quoted' name", Array("q".utf8))
    let paths: [TargetPath] = [
      TargetPath(scratch.path + "/bin"), TargetPath(scratch.path + "/empty"),
      TargetPath(scratch.path + "/missing"), TargetPath(scratch.path),
      TargetPath(scratch.path + "/a 'quoted' name"), "/proc/self/mem", "/proc/sys/kernel/ostype"
    ]
    let results = try await connection.read(paths, until: soon())
    #expect(results[0] == .success([0, 10, 255, 10, 10]))
    #expect(results[1] == .success([]))
    #expect(results[2] == .failure(.notFound))
    #expect(results[3] == .failure(Errno(EISDIR)))
    #expect(results[4] == .success(Array("q".utf8)))
    #expect(results[5] == .failure(.io))
    #expect(results[6] == .success(Array("Linux\n".utf8)))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func readsAHundredFilesAtOnce(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    for number in 0..<100 { try scratch.write("\(number)", Array("\(number * 7)\n".utf8)) }
    let results = try await connection.read(
      (0..<100).map { TargetPath(scratch.path + "/\($0)") }, until: soon())
    for (number, result) in results.enumerated() {
      #expect(result == .success(Array("\(number * 7)\n".utf8)))
    }
    await connection.close()
  }

  /// Regular files that can be read go together; those that cannot must not spoil the others.
  @Test(
    .timeLimit(.minutes(1)), arguments: ConformanceKind.allCases,
    [[], ["missing"], ["directory"], ["/proc/self/mem", "missing"], ["/dev/null"]])
  func readsContentToTheByteWhateverStandsBeside(
    kind: ConformanceKind, beside: [String]
  ) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    mkdir(scratch.path + "/directory", 0o755)
    let contents: [(name: String, bytes: [UInt8])] = [
      ("line", Array("1\n".utf8)), ("open", Array("no newline".utf8)), ("newline", [10]),
      ("newlines", [10, 10, 10]), ("empty", []), ("crlf", Array("a\r\nb\r\n".utf8)),
      ("NUL", [0]), ("device tree", Array("arm,pl011\0arm,primecell\0".utf8)),
      ("blanks", Array("  \t x  \n".utf8)), ("escapes", Array("\\n\\0 %s %% $x `x` '\"\n".utf8)),
      ("like a frame", Array("\nkelvin-part-0 0\nK=kelvin-part-0\0\u{1E}kelvin-0 0\n".utf8)),
      ("large", (0..<70_001).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 11) }),
      ("$HOME `x` *", [1]), ("new\nline", [2]), ("-n", [3]), ("'", [4])
    ]
    for (name, bytes) in contents { try scratch.write(name, bytes) }
    let here = TargetPath(scratch.path)
    var paths = contents.map { here.appending($0.name) }
    paths.insert(
      contentsOf: beside.map { $0.hasPrefix("/") ? TargetPath($0) : here.appending($0) }, at: 3)
    // The same one again, and its own way through a link.
    symlink("line", scratch.path + "/link")
    paths += [paths[0], here.appending("link")]
    var results = try await connection.read(paths, until: soon())
    #expect(results.count == paths.count)
    for name in beside {
      let expected: Result<[UInt8], Errno> =
        switch name {
        case "missing": .failure(.notFound)
        case "directory": .failure(Errno(EISDIR))
        case "/dev/null": .success([])
        default: .failure(.io)
        }
      #expect(results.remove(at: 3) == expected, "\(name)")
    }
    let line = contents[0].bytes
    for (result, content) in zip(results, contents + [("again", line), ("link", line)]) {
      #expect(result == .success(content.bytes), "\(content.name)")
    }
    await connection.close()
  }

  /// What the kernel refuses to tell, among what it tells.
  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func namesTheErrorOfEachAttribute(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let here = LocalConnection()
    let directory = "/sys/class/net/lo"
    let paths = SmallFile.names(in: directory).map { TargetPath("\(directory)/\($0)") }
    let results = try await connection.read(paths, until: soon())
    var expected = try await here.read(paths, until: soon())
    if [.busybox, .sshdBusybox, .consoleBusybox].contains(kind) {
      // All that busybox's head says of a read that failed.
      expected = expected.map { $0 == .failure(Errno(EINVAL)) ? .failure(.io) : $0 }
    }
    #expect(results == expected)
    #expect(
      expected.contains { (try? $0.get()) == nil } && expected.contains { (try? $0.get()) != nil })
    await connection.close()
  }

  @Test(
    .enabled(if: geteuid() == 0, "only root may write the kernel's settings"),
    .timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func writesTheKernelsSettingsAndNamesWhatItRefuses(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let setting: TargetPath = "/proc/sys/kernel/core_uses_pid"
    let before = try await connection.read(setting, until: soon())
    let results = try await connection.write(
      [
        (setting, Array("nonsense\n".utf8)), (setting, before),
        ("/proc/sys/kernel/ostype", Array("Other".utf8)),
        ("/proc/sys/kernel/no-such-setting", [49]), ("/proc/sys/kernel", [49]),
        (setting, before.filter { $0 != 10 }), (setting, Array("1\n1\n".utf8)), (setting, before)
      ], until: soon())
    func error(_ index: Int) -> Errno? {
      if case .failure(let error) = results[index] { error } else { nil }
    }
    #expect(error(0) == Errno(EINVAL))
    for index in [1, 5, 7] { #expect(error(index) == nil, "\(index)") }
    #expect(error(2) == .permissionDenied)
    #expect(error(3) == .notFound)
    #expect(error(4) == Errno(EISDIR))
    #expect(try await connection.read(setting, until: soon()) == before)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func refusesFilesWithoutAnEnd(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let results = try await connection.read(["/dev/zero"], until: soon())
    #expect(results[0] == .failure(Errno(EFBIG)))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func writesValuesIntoExistingFilesOnly(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    try scratch.write("value", Array("0123456789".utf8))
    let results = try await connection.write(
      [
        (TargetPath(scratch.path + "/value"), [0, 255, 39]),
        (TargetPath(scratch.path + "/new"), [1])
      ], until: soon())
    #expect((try? results[0].get()) != nil)
    guard case .failure(.notFound) = results[1] else {
      Issue.record("\(results[1])")
      return
    }
    // One write, no truncation, no creation.
    #expect(try scratch.read("value") == [0, 255, 39] + Array("3456789".utf8))
    #expect(access(scratch.path + "/new", F_OK) != 0)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func listsATreeDepthFirst(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    mkdir(scratch.path + "/b", 0o755)
    try scratch.write("b/file one", [1])
    try scratch.write("a", [1])
    chmod(scratch.path + "/a", 0o640)
    symlink("b/file one", scratch.path + "/c")
    let root = TargetPath(scratch.path)
    let entries = try await connection.list(root, depth: 5, until: soon())
    #expect(
      entries.map(\.path.string) == ["a", "b", "b/file one", "c"].map { scratch.path + "/" + $0 })
    #expect(entries.first?.kind == .file)
    #expect(entries.first?.mode == 0o640)
    #expect(entries.last?.kind == .link(to: "b/file one"))
    #expect(try await connection.list(root, depth: 1, until: soon()).count == 3)
    await #expect {
      _ = try await connection.list(root.appending("none"), depth: 1, until: soon())
    } throws: { ($0 as? ConnectionFailure)?.code == .notFound }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func pushesPullsAndRemovesBinaryFiles(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    let bytes = (0..<kind.bytes(1_500_000)).map {
      UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13)
    }
    try scratch.write("host", bytes)
    let target = TargetPath(scratch.path + "/made/for it/target")
    try await connection.push(
      scratch.path + "/host", to: target, mode: 0o750, until: soon())
    #expect(try scratch.read("made/for it/target") == bytes)
    var status = stat()
    #expect(stat(target.string, &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o750)
    let sums = try await connection.checksum([target, "/no/such"], until: soon())
    #expect(sums[0] == .success(Checksum.sha256(bytes)))
    #expect(sums[1] == .failure(.notFound))
    try await connection.pull(target, to: scratch.path + "/back", until: soon())
    #expect(try scratch.read("back") == bytes)
    try await connection.remove(TargetPath(scratch.path + "/made"), until: soon())
    try await connection.remove(TargetPath(scratch.path + "/made"), until: soon())
    #expect(access(scratch.path + "/made", F_OK) != 0)
    await #expect {
      try await connection.push(
        scratch.path + "/host", to: "/proc/nothing/here", mode: 0o644, until: soon())
    } throws: { $0 is ConnectionFailure }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func copiesManySmallFilesAndSomeLargeOnes(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    for name in ["here", "back"] { mkdir(scratch.path + "/" + name, 0o755) }
    let long = String(repeating: "long ", count: 40)
    let plain = (0..<(kind.isConsole ? 8 : 60)).map { "f\($0)" }
    let names = plain + ["-n", "$HOME `x` *", "new\nline", "'", ".hidden", "é", long]
    var copies: [FileCopy] = []
    for (index, name) in names.enumerated() {
      let size = index == 7 ? kind.bytes(1_100_000) : index * 37
      let bytes = [UInt8](repeating: UInt8(index), count: size) + [0, 10, 255, 13]
      try scratch.write("here/" + name, bytes)
      let directory = index % 3 == 0 ? "made/a b" : "made/c"
      copies.append(
        FileCopy(
          hostPath: scratch.path + "/here/" + name,
          path: TargetPath("\(scratch.path)/\(directory)/\(name)"),
          mode: [0o644, 0o750, 0o400][index % 3], size: Int64(bytes.count)))
    }
    // What is there already is replaced.
    for directory in ["made", "made/c"] { mkdir(scratch.path + "/" + directory, 0o755) }
    try scratch.write("made/c/f1", Array("old".utf8))
    for group in FileCopy.groups(copies) { try await connection.push(group, until: soon()) }
    for copy in copies {
      let name = String(copy.path.string.dropFirst(scratch.path.count + 1))
      #expect(
        try scratch.read(name)
          == scratch.read(String(copy.hostPath.dropFirst(scratch.path.count + 1))),
        "\(name)")
      var status = stat()
      #expect(stat(copy.path.string, &status) == 0 && status.st_mode & 0o7777 == mode_t(copy.mode))
      #expect(abs(time(nil) - status.st_mtim.tv_sec) < 100 || kind == .local, "\(name)")
    }
    #expect(SmallFile.names(in: scratch.path + "/made/c").allSatisfy { !$0.contains(".kelvin") })
    for index in copies.indices {
      let name = copies[index].hostPath.split(separator: "/").last ?? ""
      copies[index].hostPath = "\(scratch.path)/back/\(name)"
    }
    for group in FileCopy.groups(copies) { try await connection.pull(group, until: soon()) }
    for name in names { #expect(try scratch.read("back/" + name) == scratch.read("here/" + name)) }
    await connection.close()
  }

  /// One that cannot be copied is told by name, and leaves nothing half done.
  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func namesTheFileAmongManyThatCannotBeCopied(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    mkdir(scratch.path + "/to", 0o755)
    mkdir(scratch.path + "/to/f2", 0o755)
    try scratch.write("to/f1", Array("old".utf8))
    let copies = try (0..<5).map { index in
      try scratch.write("f\(index)", [UInt8(index)])
      return FileCopy(
        hostPath: "\(scratch.path)/f\(index)", path: TargetPath("\(scratch.path)/to/f\(index)"),
        size: 1)
    }
    await #expect {
      try await connection.push(copies, until: soon())
    } throws: {
      guard let failure = $0 as? ConnectionFailure else { return false }
      return failure.code == .system(Errno(EISDIR)) && failure.message.contains("/to")
    }
    let f1 = try scratch.read("to/f1")
    #expect(f1 == [1] || f1 == Array("old".utf8))
    #expect(SmallFile.names(in: scratch.path + "/to").allSatisfy { !$0.contains(".kelvin") })
    #expect(SmallFile.names(in: scratch.path + "/to/f2").isEmpty)
    unlink(scratch.path + "/f3")
    await #expect {
      try await connection.push(Array(copies[3...]), until: soon())
    } throws: {
      guard case .hostFile(.notFound)? = ($0 as? ConnectionFailure)?.code else {
        return kind == .local
      }
      return true
    }
    let missing = FileCopy(hostPath: scratch.path + "/back", path: "/no/such/file", size: 1)
    await #expect {
      try await connection.pull([missing, copies[4]], until: soon())
    } throws: { ($0 as? ConnectionFailure)?.code == .notFound }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func copiesThatFailLeaveNothingAndReplaceNothing(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    try scratch.write("empty", [])
    try scratch.write("old", Array("old".utf8))
    mkdir(scratch.path + "/directory", 0o755)
    let here = TargetPath(scratch.path)
    func code(_ body: () async throws(ConnectionFailure) -> Void) async -> ConnectionFailure.Code? {
      do {
        try await body()
        return nil
      } catch { return error.code }
    }
    let missing = await code { () throws(ConnectionFailure) in
      try await connection.pull(
        here.appending("missing"), to: scratch.path + "/old", until: soon())
    }
    #expect(missing == .notFound)
    let absent = await code { () throws(ConnectionFailure) in
      try await connection.push(
        scratch.path + "/no-such-file", to: here.appending("old"), mode: 0o600, until: soon())
    }
    #expect(absent != nil)
    let directory = await code { () throws(ConnectionFailure) in
      try await connection.push(
        scratch.path + "/old", to: here.appending("directory"), mode: 0o600, until: soon())
    }
    #expect(directory != nil)
    #expect(try scratch.read("old") == Array("old".utf8))
    try await connection.push(
      scratch.path + "/empty", to: here.appending("new"), mode: 0o600, until: soon())
    #expect(try scratch.read("new").isEmpty)
    try await connection.pull(
      here.appending("empty"), to: scratch.path + "/back", until: soon())
    #expect(try scratch.read("back").isEmpty)
    #expect(
      LocalFile.names(in: scratch.path) == ["back", "directory", "empty", "new", "old"])
    #expect(LocalFile.names(in: scratch.path + "/directory").isEmpty)
    await connection.close()
  }
}
