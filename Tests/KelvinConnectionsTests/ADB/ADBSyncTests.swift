import Glibc
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// Files over adb's sync, to new and old devices, through Debian's adb server and without one.
@Suite(.timeLimit(.minutes(2)))
struct ADBSyncTests {
  struct Way: Sendable, CustomTestStringConvertible {
    let route: ADBRoute
    let generation: ADBGeneration
    var testDescription: String { "\(route.rawValue), \(generation.rawValue) device" }
  }
  static let ways = ADBShellTests.routes.flatMap { route in
    ADBGeneration.allCases.map { Way(route: route, generation: $0) }
  }

  @Test(arguments: ways) func pushesAndPullsWhatItWasGiven(way: Way) async throws {
    try await ReachedADB.with(way.route, way.generation.settings) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      let sync = ADBSync(reached.device)
      defer { sync.close() }
      for size in [0, 1, 65_535, 65_536, 65_537, 3_000_001] {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 131) }
        try host.write("in", bytes)
        let path = TargetPath("\(target.path)/new/deep, very/\(size)")
        try sync.push(
          [ADBPushItem(.file(host.path + "/in"), to: path, mode: 0o640)], until: adbSoon())
        #expect(try target.read("new/deep, very/\(size)") == bytes)
        let status = try sync.status([path], until: adbSoon())[0].get()
        #expect(status.size == UInt64(size))
        #expect(status.mode == 0o100640)
        try sync.pull(
          [ADBPullItem(path, to: "\(host.path)/made/\(size)", mode: 0o600)], until: adbSoon())
        #expect(try host.read("made/\(size)") == bytes)
      }
      #expect(!LocalFile.names(in: host.path + "/made").contains { $0.contains("kelvin") })
    }
  }

  @Test(arguments: ways) func manyFilesGoAtOnce(way: Way) async throws {
    try await ReachedADB.with(way.route, way.generation.settings) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      for directory in ["a", "a/b", "c"] { mkdir("\(host.path)/\(directory)", 0o755) }
      for number in 0..<300 {
        try host.write(
          "\(["a", "a/b", "c"][number % 3])/\(number)",
          Array(repeating: UInt8(truncatingIfNeeded: number), count: number * 17))
      }
      symlink("b/1", "\(host.path)/a/link")
      let sync = ADBSync(reached.device)
      defer { sync.close() }
      let tree = try ADBHostTree(host.path, to: TargetPath(target.path + "/t"))
      #expect(tree.directories == ["a", "a/b", "c"])
      #expect(tree.items.count == 301)
      let box = Mutex<[UInt64]>([])
      try sync.push(
        tree.items, until: adbSoon(), progress: { done, _ in box.withLock { $0.append(done) } })
      let told = box.withLock { $0 }
      #expect(told.last == UInt64((0..<300).reduce(0) { $0 + $1 * 17 }))
      #expect(told == told.sorted())
      #expect(LocalFile.link(target.path + "/t/a/link") == "b/1")
      let others = try sync.pullTree(
        TargetPath(target.path + "/t"), to: host.path + "/back", until: adbSoon())
      // Version 1 cannot say what a link leads to.
      #expect(others == (way.generation == .old ? ["a/link"] : []))
      for number in 0..<300 {
        let name = "\(["a", "a/b", "c"][number % 3])/\(number)"
        #expect(try host.read("back/" + name) == host.read(name))
      }
    }
  }

  @Test(arguments: ways) func aMissingFileIsNotFoundAndTheNextIsThere(way: Way) async throws {
    try await ReachedADB.with(way.route, way.generation.settings) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      try target.write("there", [1, 2, 3])
      let sync = ADBSync(reached.device)
      defer { sync.close() }
      let missing = adbFailure {
        try sync.pull(
          [
            ADBPullItem(TargetPath(target.path + "/missing"), to: host.path + "/missing"),
            ADBPullItem(TargetPath(target.path + "/there"), to: host.path + "/there")
          ], until: adbSoon())
      }
      #expect(missing?.code == .notFound)
      #expect(missing?.message.hasPrefix(target.path + "/missing") == true)
      #expect(LocalFile.names(in: host.path).isEmpty)
      // adbd has hung up: the stream is opened anew.
      try sync.pull(
        [ADBPullItem(TargetPath(target.path + "/there"), to: host.path + "/there")],
        until: adbSoon())
      #expect(try host.read("there") == [1, 2, 3])
      let states = try sync.status(
        [TargetPath(target.path + "/missing"), TargetPath(target.path)], until: adbSoon())
      #expect(states[0] == .failure(.notFound))
      #expect(try states[1].get().isDirectory)
    }
  }

  @Test(arguments: ways) func aRefusedFileEndsThePushAtOnce(way: Way) async throws {
    try await ReachedADB.with(way.route, way.generation.settings) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      try host.write("big", [UInt8](repeating: 7, count: 30_000_000))
      mkdir(target.path + "/taken", 0o755)
      let sync = ADBSync(reached.device)
      defer { sync.close() }
      let failure = adbFailure {
        try sync.push(
          [
            ADBPushItem(
              .file(host.path + "/big"), to: TargetPath(target.path + "/taken"), mode: 0o644)
          ], until: adbSoon())
      }
      #expect(failure?.code == .system(Errno(EISDIR)))
      #expect(failure?.message.hasPrefix(target.path + "/taken") == true)
      try sync.push(
        [ADBPushItem(.bytes([1]), to: TargetPath(target.path + "/next"), mode: 0o644)],
        until: adbSoon())
      #expect(try target.read("next") == [1])
    }
  }

  static let faults: [(ADBDFault.Kind, ConnectionFailure.Code)] = [
    (.drop(after: 70_000), .connectionLost), (.truncate(after: 70_000), .connectionLost),
    (.stall(after: 70_000), .timedOut), (.hostileSizes, .connectionLost)
  ]

  @Test(arguments: ADBShellTests.routes, faults)
  func aBrokenPullLeavesNothing(
    route: ADBRoute, fault: (kind: ADBDFault.Kind, code: ConnectionFailure.Code)
  ) async throws {
    try await ReachedADB.with(route) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      try target.write("file", [UInt8](repeating: 9, count: 1_000_000))
      _ = try reached.device.features(until: adbSoon())
      reached.daemon.fault = ADBDFault(fault.kind, service: "sync")
      let sync = ADBSync(reached.device)
      defer { sync.close() }
      let failure = adbFailure {
        try sync.pull(
          [ADBPullItem(TargetPath(target.path + "/file"), to: host.path + "/file")],
          until: adbSoon(2))
      }
      #expect(failure?.code == fault.code)
      #expect(LocalFile.names(in: host.path).isEmpty)
    }
  }

  @Test func hostileNamesAreRefused() async throws {
    try await ReachedADB.with(.direct) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      try target.write("file", [1])
      reached.daemon.fault = ADBDFault(.hostileNames, service: "sync")
      let sync = ADBSync(reached.device)
      defer { sync.close() }
      let failure = adbFailure {
        try sync.pullTree(TargetPath(target.path), to: host.path + "/out", until: adbSoon())
      }
      #expect(failure?.code == .connectionLost)
      #expect(failure?.message.contains("'../file' as a name") == true)
    }
  }

  @Test(arguments: [
    "", "a/b", "/", ".", "..", "a\0b", String(repeating: "x", count: 256)
  ])
  func knowsNamesThatLeadElsewhere(name: String) {
    #expect(!ADBFileEntry.isName(Array(name.utf8)))
  }

  @Test(arguments: ["a", "...", " ", "a b", "é", "-", String(repeating: "x", count: 255)])
  func knowsNames(name: String) {
    #expect(ADBFileEntry.isName(Array(name.utf8)))
  }
}
