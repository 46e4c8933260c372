import Glibc
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// Files over a console.
@Suite(.timeLimit(.minutes(10)))
struct ConsoleFileTests {
  private func mode(_ path: String) -> UInt32 {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  @Test(arguments: LineShell.Kind.allCases)
  func bringsFilesThereAndBack(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    var generator = SeededGenerator(seed: 31)
    for count in [0, 1, ConsoleChannel.fileBlock, 30_000] {
      let bytes = generator.bytes(count)
      let target = TargetPath("\(shell.scratch.path)/new dir/it's \(count)")
      try channel.push(ConsoleSource(bytes), to: target, mode: 0o750, until: .after(seconds: 60))
      #expect(try LocalFile.read(target.string) == bytes)
      #expect(mode(target.string) == 0o750)
      let back = "\(shell.scratch.path)/back"
      try channel.pull(target, to: back, until: .after(seconds: 60))
      #expect(try LocalFile.read(back) == bytes)
      for path in [target.string, back] { #expect(access(path + ".kelvin-part", F_OK) != 0) }
    }
  }

  @Test func bringsFilesOverABadLine() throws {
    let shell = try LineShell(
      .dash, LineFaults(lost: 0.0005, doubled: 0.0001, noisePerSecond: 50, seed: 32))
    let channel = try shell.channel(seconds: 90)
    var generator = SeededGenerator(seed: 32)
    let bytes = generator.bytes(30_000)
    let target = TargetPath("\(shell.scratch.path)/file")
    try channel.push(ConsoleSource(bytes), to: target, mode: 0o644, until: .after(seconds: 120))
    #expect(try LocalFile.read(target.string) == bytes)
    let back = "\(shell.scratch.path)/back"
    try channel.pull(target, to: back, until: .after(seconds: 120))
    #expect(try LocalFile.read(back) == bytes)
  }

  @Test func goesOnWhereTheLineWasLost() throws {
    let shell = try LineShell(.dash)
    var channel = try shell.channel()
    var generator = SeededGenerator(seed: 33)
    let bytes = generator.bytes(5 * ConsoleChannel.fileBlock + 7)
    let target = TargetPath("\(shell.scratch.path)/file")
    func cutAfterThree(_ count: Int) {
      if count == 3 * ConsoleChannel.fileBlock {
        shell.line.isCut.store(true, ordering: .releasing)
      }
    }
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.push(
        ConsoleSource(bytes), to: target, mode: 0o644, until: .after(seconds: 60),
        progress: cutAfterThree)
    }
    #expect(failure?.code == .connectionLost)
    #expect(access(target.string, F_OK) != 0)
    shell.line.isCut.store(false, ordering: .releasing)
    channel = try shell.channel()
    var first: Int?
    try channel.push(ConsoleSource(bytes), to: target, mode: 0o644, until: .after(seconds: 60)) {
      first = first ?? $0
    }
    #expect(first == 3 * ConsoleChannel.fileBlock)
    #expect(try LocalFile.read(target.string) == bytes)

    let back = "\(shell.scratch.path)/back"
    #expect(throws: ConnectionFailure.self) {
      try channel.pull(target, to: back, until: .after(seconds: 60), progress: cutAfterThree)
    }
    #expect(access(back, F_OK) != 0)
    shell.line.isCut.store(false, ordering: .releasing)
    channel = try shell.channel()
    first = nil
    try channel.pull(target, to: back, until: .after(seconds: 60)) { first = first ?? $0 }
    #expect(first == 3 * ConsoleChannel.fileBlock)
    #expect(try LocalFile.read(back) == bytes)
  }

  @Test func doesNotTrustTheRestOfAnotherFile() throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    let bytes = [UInt8](repeating: 65, count: 20_000)
    try shell.scratch.write("file.kelvin-part", [UInt8](repeating: 66, count: 10_000))
    let target = TargetPath("\(shell.scratch.path)/file")
    try channel.push(ConsoleSource(bytes), to: target, mode: 0o600, until: .after(seconds: 60))
    #expect(try LocalFile.read(target.string) == bytes)
    try shell.scratch.write("back.kelvin-part", [UInt8](repeating: 66, count: 15_000))
    let back = "\(shell.scratch.path)/back"
    try channel.pull(target, to: back, until: .after(seconds: 60))
    #expect(try LocalFile.read(back) == bytes)
  }

  @Test func saysWhatIsWrongWithAPath() throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    let missing = #expect(throws: ConnectionFailure.self) {
      try channel.pull("/nonexistent/file", to: "/tmp/x", until: .after(seconds: 10))
    }
    #expect(missing?.code == .notFound)
    let below = #expect(throws: ConnectionFailure.self) {
      try channel.push([1], to: "/dev/null/file", mode: 0o644, until: .after(seconds: 10))
    }
    #expect(below?.kind == .target)
    let full = #expect(throws: ConnectionFailure.self) {
      try channel.pull(
        TargetPath(shell.scratch.path), to: "/tmp/x", until: .after(seconds: 10))
    }
    #expect(full?.kind == .target)
  }
}
