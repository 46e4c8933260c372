import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct TarArchiveTests {
  private func run(_ argv: [String], in directory: String) async throws -> String {
    try await output(of: argv, in: directory)
  }

  @Test(.timeLimit(.minutes(1))) func isReadByGNUTar() async throws {
    let directory = try TemporaryDirectory()
    let long = "before/" + (0..<12).map { "directory-\($0)-0123456789" }.joined(separator: "/")
    let members: [(String, [UInt8])] = [
      ("diff.txt", Array("x\n".utf8)),
      ("before/sys/empty", []),
      ("before/sys/exactly-a-block", [UInt8](repeating: 65, count: 512)),
      ("after/sys/binary", (0...255).map { UInt8($0) }),
      // Fits ustar's prefix, needs a pax header, needs one for its characters.
      ("before/" + String(repeating: "d", count: 120) + "/name", [1]),
      (long + "/temp", [2]),
      ("before/" + String(repeating: "n", count: 200), [3]),
      ("before/grün", [4])
    ]
    var archive = TarArchive(modificationTime: 1_795_625_312)
    for (name, content) in members { archive.append(name, content) }
    try HostFile.write(archive.finished(), to: directory.path + "/t.tar")

    let names = try await run(
      ["tar", "--quoting-style=literal", "-tf", "t.tar"], in: directory.path)
    #expect(names.split(separator: "\n").map(String.init) == members.map(\.0))
    let warnings = try await run(["tar", "-xf", "t.tar"], in: directory.path)
    #expect(warnings == "")
    for (name, content) in members {
      #expect(try HostFile.read(directory.path + "/" + name) == content, "\(name)")
    }
    let listing = try await run(["tar", "--utc", "-tvf", "t.tar", "diff.txt"], in: directory.path)
    #expect(listing == "-rw-r--r-- root/root         2 2026-11-25 16:48 diff.txt\n")
  }

  @Test func neverLeavesTheDirectory() async throws {
    let directory = try TemporaryDirectory()
    var archive = TarArchive(modificationTime: 0)
    archive.append("/../../etc/../passwd", [1])
    try HostFile.write(archive.finished(), to: directory.path + "/t.tar")
    #expect(try await run(["tar", "-tf", "t.tar"], in: directory.path) == "etc/passwd\n")
  }

  @Test func isAWholeNumberOfRecords() {
    var archive = TarArchive(modificationTime: 0)
    archive.append("x", [UInt8](repeating: 0, count: 10_000))
    #expect(archive.finished().count == 20_480)
    #expect(TarArchive(modificationTime: 0).finished().count == 10_240)
  }
}

@Suite struct TreeDifferenceTests {
  @Test func showsWhatChangedAppearedAndWentAway() {
    let difference = TreeDifference(
      from: ["/a": Array("1\n".utf8), "/b": Array("x\ny\nz\n".utf8), "/same": [1], "/gone": [65]],
      to: ["/a": Array("2\n".utf8), "/b": Array("x\nY\nz\n".utf8), "/same": [1], "/new": [66]])
    #expect(difference.changed == ["/a", "/b", "/gone", "/new"])
    #expect(difference.text == "/a\n-1\n+2\n/b\n-y\n+Y\n/gone\n-A\n/new\n+B\n")
  }

  @Test func boundsWhatItShows() {
    let difference = TreeDifference(
      from: ["/a": []], to: ["/a": [UInt8](repeating: 65, count: 100_000)])
    #expect(difference.text.utf8.count < 5000)
    #expect(difference.text.hasSuffix("+[...]\n"))
  }
}
