import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// bench.db where it should not be, as it should not be, and on disks that fail.
@Suite(.serialized) struct BenchDamageTests {
  let directory = TemporaryDirectory()
  var path: String { directory("state/bench.db") }

  private func open() throws -> BenchStore { try BenchStore.open(directory: directory("state")) }

  /// A database with something in each table.
  private func makeSample() throws {
    let store = try open()
    let grant = try store.take(
      BenchResource(.board, "rock", bench: "/b", identity: "usb:1"), ppk2, run: "r1")
    try store.setBooking(
      ExternalBooking(release: ["true"], isGranted: true), for: ppk2, in: grant.lease)
    #expect(try store.reserve(pi, forNanoseconds: 3_600_000_000_000, reason: "mine") == nil)
    try store.quarantine(pi, reason: "sick", evidence: "none")
    store.close()
  }

  /// Everything that reads or writes; the failures.
  private func useEverything() -> [StoreFailure] {
    var failures: [StoreFailure] = []
    do throws(StoreFailure) {
      _ = try BenchListing.read(directory: directory("state"))
    } catch {
      failures.append(error)
    }
    do throws(StoreFailure) {
      let store = try BenchStore.open(directory: directory("state"))
      _ = try store.status(of: rock)
      _ = try store.enable(pi)
      _ = try store.acquire(LeaseRequest([rock, pi, ppk2], run: "r2", purpose: "", takesOver: true))
      _ = try store.reserve(rock, forNanoseconds: 1, reason: "")
    } catch {
      failures.append(error)
    }
    return failures
  }

  @Test func isMadePrivateWhereverItIsNeeded() throws {
    let before = umask(0)
    defer { umask(before) }
    let store = try BenchStore.open(directory: directory("a/b/kelvin"))
    try store.take(rock)
    #expect(
      shell("stat -c %a \(directory("a/b/kelvin"))").output == "700\n")
    for name in ["bench.db", "bench.db-wal", "bench.db-shm"] {
      #expect(shell("stat -c %a \(directory("a/b/kelvin/" + name))").output == "600\n", "\(name)")
    }
  }

  @Test(
    arguments: [
      (["KELVIN_STATE": "x", "XDG_STATE_HOME": "/s", "HOME": "/h"], "x"),
      (["XDG_STATE_HOME": "/s", "HOME": "/h"], "/s/kelvin"),
      (["XDG_STATE_HOME": "relative", "HOME": "/h"], "/h/.local/state/kelvin"),
      (["KELVIN_STATE": "", "HOME": "/h"], "/h/.local/state/kelvin"),
      (["HOME": ""], "/account/.local/state/kelvin"), ([:], "/account/.local/state/kelvin")
    ] as [([String: String], String)])
  func isFoundByTheBaseDirectorySpecification(variables: [String: String], expected: String) {
    #expect(StateDirectory.path(variable: { variables[$0] }, home: { "/account" }) == expected)
  }

  @Test func isKeptApartFromWhatIsNoBench() throws {
    mkdir(directory("state"), 0o700)
    writeFile(path, Array("#!/bin/sh\necho no database, but long enough to be looked at\n".utf8))
    let before = readFile(path)
    for failure in useEverything() {
      #expect(failure.code == .corrupt, "\(failure)")
      #expect(failure.description.contains("mv '\(path)'"), "\(failure)")
    }
    #expect(readFile(path) == before)
    unlink(path)
    try #require(shell("sqlite3 \(path) 'CREATE TABLE t(x)'").code == 0)
    #expect(useEverything().map(\.code) == [.notABench, .notABench])
  }

  @Test func anEmptyFileBecomesABench() throws {
    mkdir(directory("state"), 0o700)
    writeFile(path, [])
    #expect(try BenchListing.read(directory: directory("state")).resources.isEmpty)
    try open().take(rock)
  }

  @Test(.timeLimit(.minutes(5))) func survivesTruncationAtEachPage() throws {
    try makeSample()
    let intact = try #require(readFile(path))
    for length in stride(from: 4096, to: intact.count, by: 4096) {
      writeFile(path, intact[..<length])
      let failures = useEverything()
      #expect(!failures.isEmpty, "\(length) of \(intact.count) bytes")
      for failure in failures { #expect(failure.code == .corrupt, "\(length): \(failure)") }
      unlink(path + "-wal")
      unlink(path + "-shm")
    }
  }

  /// Whatever a byte becomes, the answer is a value or a failure with advice.
  @Test(.timeLimit(.minutes(5))) func survivesCorruptionAnywhere() throws {
    try makeSample()
    let intact = try #require(readFile(path))
    var generator = SeededGenerator(seed: 20_261_125)
    for _ in 0..<300 {
      var damaged = intact
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        damaged[Int.random(in: 0..<damaged.count, using: &generator)] =
          UInt8.random(in: 0...255, using: &generator)
      }
      writeFile(path, damaged)
      for failure in useEverything() {
        #expect(
          [.corrupt, .notABench, .newerSchema, .system, .misuse, .readOnly].contains(failure.code),
          "\(failure)")
      }
      unlink(path + "-wal")
      unlink(path + "-shm")
      unlink(path + "-journal")
    }
  }

  @Test(.timeLimit(.minutes(5)), .enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"))
  func survivesForeignValuesInEachColumn() throws {
    try makeSample()
    let intact = try #require(readFile(path))
    let columns = shell(
      """
      sqlite3 \(path) "SELECT m.name || '.' || p.name || '.' || p.type FROM sqlite_master m, \
      pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
      """
    ).output.split(separator: "\n").map { $0.split(separator: ".") }
    #expect(columns.count > 50)
    for column in columns {
      let values =
        column[2] == "INTEGER"
        ? ["-9223372036854775808", "9223372036854775807", "-1"]
        : ["''", "'{]'", "'[[[]]]'", "cast(x'ff00fe' as text)"]
      for value in values {
        writeFile(path, intact)
        _ = shell(
          """
          sqlite3 \(path) "PRAGMA foreign_keys = OFF; \
          UPDATE OR IGNORE \(column[0]) SET \(column[1]) = \(value)" 2>/dev/null
          """)
        for failure in useEverything() {
          // No id is left after the largest: SQLite calls that full.
          #expect(
            [.corrupt, .misuse, .system, .diskFull].contains(failure.code), "\(column) \(failure)")
        }
      }
    }
  }

  @Test func noticesThatTheDatabaseVanished() throws {
    let store = try open()
    let lease = try store.take(rock).lease
    try removeTree(directory("state"))
    let failure = expectFailure(.vanished) { try store.release(lease) }
    #expect(failure?.message.contains(path) == true)
  }

  @Test(.enabled(if: canMount, "needs root and mount(2)"))
  func saysWhatAReadOnlyDirectoryNeeds() throws {
    let disk = try SmallFileSystem(kilobytes: 4096)
    let state = disk.path + "/state"
    try BenchStore.open(directory: state).take(rock)
    try disk.remount("ro")
    defer { try? disk.remount("rw") }
    #expect(try BenchListing.read(directory: state).state("rock") == .leased)
    let failure = expectFailure(.readOnly) {
      try BenchStore.open(directory: state).take(pi)
    }
    #expect(failure?.hint.contains("KELVIN_STATE") == true)
    expectFailure(.readOnly) { try BenchStore.open(directory: disk.path + "/other") }
  }

  /// Fills the disk at several moments: a lease is either whole or not there.
  @Test(
    .enabled(if: canMount, "needs root and mount(2)"), .timeLimit(.minutes(5)),
    arguments: Array(stride(from: 0, to: 80, by: 8)))
  func survivesAFullDisk(spareKilobytes: Int) throws {
    let disk = try SmallFileSystem(kilobytes: 2048)
    let state = disk.path + "/state"
    let store = try BenchStore.open(directory: state)
    _ = shell(
      "dd if=/dev/zero of=\(disk.path)/filler bs=1k status=none 2>/dev/null; "
        + "truncate -s -\(spareKilobytes)k \(disk.path)/filler")
    var granted = 0
    var failure: StoreFailure?
    while failure == nil, granted < 200 {
      do throws(StoreFailure) {
        let resources = ["a", "b"].map { BenchResource(.board, "\($0)\(granted)", bench: "/x") }
        _ = try store.acquire(LeaseRequest(resources, purpose: "filling"))
        granted += 1
      } catch {
        failure = error
      }
    }
    #expect(failure?.code == .diskFull, "\(failure as Any)")
    #expect(failure?.hint.contains("free space") == true)
    unlink(disk.path + "/filler")
    let leased = try BenchListing.read(directory: state).resources.filter { $0.state == .leased }
    #expect(leased.count == 2 * granted)
    try store.take(rock)
  }

  @Test(.enabled(if: canMount, "needs root and mount(2)"))
  func aFullDiskMakesNoHalfOfADatabase() throws {
    let disk = try SmallFileSystem(kilobytes: 64)
    let failure = expectFailure(.diskFull) { try BenchStore.open(directory: disk.path + "/state") }
    #expect(failure?.message.contains(disk.path) == true)
    #expect(shell("ls -A \(disk.path)/state").output == "")
  }

  /// A process that dies in its transaction leaves nothing of it, and blocks nobody.
  @Test(.timeLimit(.minutes(5)), .enabled(if: hasTool("python3"), "needs python3"))
  func aWriterThatIsKilledInItsTransactionLeavesNothing() throws {
    let store = try open()
    try store.take(rock)
    let result = shell(
      """
      python3 -c '
      import os, sqlite3, sys
      connection = sqlite3.connect(sys.argv[1], isolation_level=None)
      connection.execute("begin immediate")
      connection.execute("delete from holdings")
      os.kill(os.getpid(), 9)
      ' \(store.path)
      """)
    #expect(result.code != 0)
    #expect(try store.status(of: rock).state == .leased)
    try store.take(pi)
  }
}
