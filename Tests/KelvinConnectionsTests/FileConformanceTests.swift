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
