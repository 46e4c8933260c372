import GRDB
import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinStore

/// Every schema of bench.db that was released stays readable: Fixtures/bench-vN.sql holds one of
/// each, as SQL.
///
/// After a new migration, `KELVIN_WRITE_FIXTURE=1 swift test --filter BenchSchemaTests` adds the dump
/// of the new schema; dumps of released schemas are never written again.
@Suite(.enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"))
struct BenchSchemaTests {
  static let versions = Array(1...BenchSchema.migrations.count)
  let directory = TemporaryDirectory()
  var path: String { directory("bench.db") }

  private static func fixture(_ version: Int) -> String {
    SchemaTests.fixtures + "/bench-v\(version).sql"
  }

  private static let deployment = DeploymentRecord(
    way: "kexec", image: #"{"kernel":"aa"}"#, buildID: "bb", boardBootID: "cc", run: "r1")

  /// A database as this Kelvin makes it, with everything in it.
  private func makeSample() throws {
    var holder = try LeaseHolder.current()
    holder.user = "anna"
    holder.host = HostIdentity(
      name: "labhost", machineID: "m", bootID: "b", processNamespace: "pid:[4026531836]")
    let store = try BenchStore.open(directory: directory.path, as: holder)
    let grant = try store.take(
      BenchResource(.board, "rock", bench: "/b", identity: "usb:1"), ppk2, run: "r1",
      directory: "/runs/x")
    try store.setBooking(
      ExternalBooking(release: ["true"], isGranted: true), for: ppk2, in: grant.lease)
    #expect(try store.reserve(pi, forNanoseconds: 3_600_000_000_000, reason: "mine") == nil)
    try store.quarantine(pi, reason: "sick", evidence: "none")
    try store.switchingOff(
      BenchResource(.board, "rock", bench: "/b", identity: "usb:1"), in: grant.lease,
      reason: "bench check --switch")
    try store.note(
      [
        BoardJobRecord(
          run: "r1", job: 0, attempt: 1, outcome: Outcome(.failed(.target), "hung"), isLast: false,
          seconds: 1.5),
        BoardJobRecord(run: "r1", job: 0, attempt: 2, outcome: .ok, seconds: 0.5)
      ],
      [
        RecoveryRecord(
          run: "r1", finding: "hung",
          steps: [
            .init("reconnect", seconds: 10, problem: "silent"),
            .init("reset", seconds: 2)
          ], isBack: true, seconds: 12)
      ],
      [
        HealthCheckRecord(
          run: "r1", workload: "probe", cause: "after reset", problem: nil, seconds: 0.5)
      ], of: BenchResource(.board, "rock", bench: "/b", identity: "usb:1"))
    try store.deployed(
      Self.deployment, to: BenchResource(.board, "rock", bench: "/b", identity: "usb:1"))
    store.close()
  }

  @Test(arguments: versions)
  func bringsEachReleasedVersionUp(version: Int) throws {
    let file = Self.fixture(version)
    if version == Self.versions.last, getenv("KELVIN_WRITE_FIXTURE") != nil, readFile(file) == nil {
      try makeSample()
      let header = """
        PRAGMA application_id = \(BenchSchema.applicationID);
        PRAGMA user_version = \(version);

        """
      writeFile(file, Array((header + shell("sqlite3 \(path) .dump").output).utf8))
      for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
    try #require(shell("sqlite3 \(path) < \(file)").code == 0)
    let store = try BenchStore.open(directory: directory.path)
    let lease = try #require(
      try store.status(of: BenchResource(.board, "rock", bench: "/b", identity: "usb:1")).lease)
    #expect(lease.run == "r1")
    #expect(lease.holder.label.hasPrefix("anna, process "))
    #expect(try store.status(of: pi).health?.evidence == "none")
    let outage = try store.status(of: BenchResource(.board, "rock", bench: "/b", identity: "usb:1"))
      .outage
    #expect(outage?.reason == (version == 1 ? nil : "bench check --switch"))
    let history = try BenchListing.history(
      of: BenchResource(.board, "rock", bench: "/b", identity: "usb:1"), recoveries: 5,
      directory: directory.path)
    if version < 3 {
      #expect(history == nil)
    } else {
      #expect(history?.attempts == [.failed(.target): 1, .ok: 1])
      #expect(history?.flakiness == Proportion(1, of: 1))
      #expect(history?.lastRecoveries.first?.steps.map(\.rung) == ["reconnect", "reset"])
    }
    #expect(history?.checks.passed ?? 0 == (version < 4 ? 0 : 1))
    #expect(history?.lastCheck?.cause == (version < 4 ? nil : "after reset"))
    let deployed = try store.deployment(
      of: BenchResource(.board, "rock", bench: "/b", identity: "usb:1"))
    #expect(deployed == (version < 4 ? nil : Self.deployment))
    let listing = try BenchListing.read(directory: directory.path)
    #expect(listing.resources.map(\.resource.name) == ["pi", "rock", "ppk2-a"])
    #expect(try store.take(rock, run: "r2").inherited.isEmpty, "another bench file's board")
  }

  /// What a later version will do: the old database gets the new table once, whoever comes first.
  @Test(.timeLimit(.minutes(1)))
  func manyThatOpenAnOldDatabaseBringItUpOnce() throws {
    try makeSample()
    let newer = BenchSchema.migrations + ["CREATE TABLE later (x INTEGER NOT NULL) STRICT"]
    let failures = Mutex<[String]>([])
    let threads = try (0..<8).map { [path] _ in
      try NamedThread("opener") {
        do {
          var configuration = Configuration()
          configuration.busyMode = .timeout(10)
          let queue = try DatabaseQueue(path: path, configuration: configuration)
          try queue.writeWithoutTransaction {
            try BenchSchema.migrate($0, path: path, migrations: newer)
          }
        } catch {
          failures.withLock { $0.append("\(error)") }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(failures.withLock { $0 } == [])
    #expect(shell("sqlite3 \(path) 'PRAGMA user_version'").output == "\(newer.count)\n")
    // And this version leaves the newer one alone.
    let failure = expectFailure(.newerSchema) { try BenchStore.open(directory: directory.path) }
    #expect(failure?.hint.contains("newer Kelvin") == true)
    expectFailure(.newerSchema) { try BenchListing.read(directory: directory.path) }
  }

  @Test func theReleasedSchemaHasNotChanged() throws {
    try makeSample()
    let fixture = directory("fixture.db")
    let file = Self.fixture(BenchSchema.migrations.count)
    try #require(shell("sqlite3 \(fixture) < \(file)").code == 0)
    let schema = "'SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY type, name'"
    #expect(
      shell("sqlite3 \(fixture) \(schema)").output == shell("sqlite3 \(path) \(schema)").output,
      "a released schema must not change: add a migration")
    #expect(Array(try #require(readFile(path))[68..<72]) == Array("Klvb".utf8))
  }

  /// Each table and column is described, and nothing that does not exist is; the queries work.
  @Test func isDocumentedCompletely() throws {
    try makeSample()
    let file = SchemaTests.fixtures + "/../../../docs/bench-database.md"
    let text = String(decoding: try #require(readFile(file)), as: UTF8.self)
    let columns = shell(
      """
      sqlite3 \(path) "SELECT m.name || '.' || p.name FROM sqlite_master m, \
      pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
      """
    ).output.split(separator: "\n")
    var documented: Set<String> = []
    var table = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("### ") {
        table = String(line.dropFirst(4).prefix { $0 != " " })
      } else if line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") {
        documented.insert("\(table).\(line.dropFirst(3)[..<end])")
      }
    }
    #expect(documented == Set(columns.map(String.init)))
    let blocks = text.split(separator: "```sql\n").dropFirst().map { block in
      String(block.prefix(upTo: block.firstRange(of: "```")?.lowerBound ?? block.endIndex))
    }
    #expect(blocks.count >= 3)
    for sql in blocks {
      writeFile(directory("query.sql"), Array(sql.utf8))
      let result = shell("sqlite3 -bail \(path) < \(directory("query.sql")) 2>&1")
      #expect(result.code == 0, "\(sql)\n\(result.output)")
      #expect(!result.output.isEmpty, "\(sql)")
    }
  }
}
