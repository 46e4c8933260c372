import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

/// Many values through one shell, some of which cannot be read.
@Suite struct ShellValuesTests {
  static let shells = [["dash"], ["bash"], ["busybox", "ash"], ["mksh"]]

  /// What a shell prints that reads these.
  private func read(
    _ paths: [String], by shell: [String], _ values: ShellValues, before: String = ""
  ) async throws -> [UInt8] {
    let script =
      "exec 7>&2\n\(ShellScript.find)\n\(ShellValues.functions)\n\(before)\n"
      + values.readScript(paths.map { TargetPath($0) })
    return try await LocalConnection().execute(
      Command(
        shell, environment: ["LC_ALL": "C"], standardInput: .bytes(Array(script.utf8))),
      until: .after(seconds: 30)
    ).standardOutput.bytes
  }

  private func count(_ word: String, in bytes: [UInt8]) -> Int {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n").count { $0.contains(word) }
  }

  /// As the files of a process do that ends while many are read: the shell finds them, head does not.
  @Test(.timeLimit(.minutes(1)), arguments: shells)
  func filesThatGoAwayMeanwhileDoNotMakeTheOthersSlow(shell: [String]) async throws {
    let scratch = try Scratch()
    var paths: [String] = []
    for index in 0..<150 {
      let path = scratch.path + "/value-\(index)."
      try scratch.write("value-\(index).", Array("\(index)\n".utf8))
      paths.append(path)
    }
    // A program of this name takes two of them away, and then is head.
    let gone = [paths[7], paths[149]]
    mkdir(scratch.path + "/bin", 0o755)
    try scratch.write(
      "bin/head",
      Array(
        "#!/bin/sh\nrm -f \(gone.joined(separator: " "))\nexec env -i K=$K /usr/bin/head \"$@\"\n"
          .utf8))
    #expect(chmod(scratch.path + "/bin/head", 0o755) == 0)
    let values = ShellValues(limit: 100)
    let bytes = try await read(
      paths, by: shell, values, before: "PATH=\(scratch.path)/bin:$PATH")
    let results = try #require(values.read(bytes, count: paths.count))
    for (index, result) in results.enumerated() {
      if gone.contains(paths[index]) {
        #expect(result == .failure(.notFound))
      } else {
        #expect(result == .success(Array("\(index)\n".utf8)))
      }
    }
    // Two blocks, and for each of the two its own frame and that of its message: not 150.
    #expect(count("head:", in: bytes) == 2)
    #expect(count(String(repeating: "f", count: 100), in: bytes) == 2)
  }

  /// Complaints that name no file, and a head that never is content.
  @Test(.timeLimit(.minutes(1)), arguments: shells)
  func aHeadThatOnlyFailsIsNotAskedForEver(shell: [String]) async throws {
    let scratch = try Scratch()
    try scratch.write("a", [97])
    try scratch.write("b", [98])
    mkdir(scratch.path + "/bin", 0o755)
    try scratch.write(
      "bin/head",
      Array("#!/bin/sh\n[ $# -gt 4 ] && { echo no >&2; exit 1; }\nexec /usr/bin/head \"$@\"\n".utf8)
    )
    #expect(chmod(scratch.path + "/bin/head", 0o755) == 0)
    let values = ShellValues(limit: 100)
    let paths = ["a", "b", "none"].map { scratch.path + "/" + $0 }
    let bytes = try await read(
      paths, by: shell, values, before: "PATH=\(scratch.path)/bin:$PATH")
    #expect(
      values.read(bytes, count: 3) == [.success([97]), .success([98]), .failure(.notFound)])
  }

  @Test func anAnswerThatIsCutIsNone() async throws {
    let scratch = try Scratch()
    try scratch.write("a", [97, 10])
    let values = ShellValues(limit: 100)
    let paths = [scratch.path + "/a", scratch.path + "/none", "/", scratch.path + "/a"]
    let bytes = try await read(paths, by: ["dash"], values)
    #expect(values.read(bytes, count: 4)?.first == .success([97, 10]))
    for length in bytes.indices {
      #expect(values.read(Array(bytes[..<length]), count: 4) == nil)
    }
  }
}
