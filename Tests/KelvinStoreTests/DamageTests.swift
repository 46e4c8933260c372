import GRDB
import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// Damaged databases end in a failure that says so, or in the parts that are whole; never in a trap.
struct DamageTests {
  static let seed: UInt64 = 7
  let directory = TemporaryDirectory()
  let path: String
  let intact: [UInt8]

  init() throws {
    path = directory("run")
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 40), life: deadLife)
    for job in 0..<60 { try store.runJob(job) }
    let capture = try store.beginCapture(
      attempt: 1, source: "s", channels: [Channel(name: "c", unit: "W", scale: 0.5)])
    let times = (0..<2000).map { Int64($0 * 1000) }
    try store.append(
      capture: capture, blocks: [SampleBlock(channel: 0, times: times, codes: times)],
      events: [CaptureEvent(.mark, channel: 0, from: 5, to: 6)])
    try store.setClock(capture: capture, fit: .host)
    try store.endCapture(capture, summary: ["ticks": 2000])
    store.close()
    intact = try #require(readFile(path + "/run.db"))
  }

  /// Calls everything that reads; gives the failures.
  private func readEverything() -> [StoreFailure] {
    var failures: [StoreFailure] = []
    func attempt(_ body: () throws -> Void) {
      do {
        try body()
      } catch let failure as StoreFailure {
        failures.append(failure)
      } catch {
        Issue.record("not a StoreFailure: \(error)")
      }
    }
    attempt {
      let reader = try RunReader(directory: path)
      attempt { _ = try reader.run() }
      attempt { _ = try reader.plan() }
      attempt { _ = try reader.verdictCounts() }
      attempt { _ = try reader.runMetrics() }
      attempt {
        try reader.forEachJob { job in
          attempt {
            for record in try reader.attempts(ofJob: job.position) {
              _ = try reader.metrics(ofAttempt: record.id)
              _ = try reader.artifacts(ofAttempt: record.id)
              _ = try reader.events(ofAttempt: record.id)
              if let id = record.fingerprint { _ = try reader.fingerprint(id) }
              for capture in try reader.captures(ofAttempt: record.id) {
                _ = try reader.events(ofCapture: capture.id)
                for channel in capture.channels.indices {
                  _ = try reader.blocks(ofCapture: capture.id, channel: channel)
                  _ = try reader.interval(ofCapture: capture.id, channel: channel)
                  _ = try reader.zoom(
                    capture: capture.id, channel: channel, from: 0, to: 2_000_000, points: 300)
                }
              }
            }
          }
        }
      }
    }
    // Resuming judges before it writes; it may succeed where the damage lies elsewhere.
    attempt { try RunStore.resume(at: path, life: deadLife).close() }
    return failures
  }

  @Test func readsWhatIsWhole() {
    #expect(readEverything().isEmpty)
  }

  @Test(.timeLimit(.minutes(5)), arguments: 0..<12)
  func survivesFlippedBytes(round: Int) throws {
    var generator = SeededGenerator(seed: Self.seed + UInt64(round))
    var damaged = intact
    for _ in 0..<(1 << round) {
      let index = Int.random(in: 0..<damaged.count, using: &generator)
      damaged[index] = UInt8.random(in: 0...255, using: &generator)
    }
    writeFile(path + "/run.db", damaged)
    for failure in readEverything() {
      #expect(
        [.corrupt, .notARun, .newerSchema, .misuse, .system].contains(failure.code), "\(failure)")
      #expect(failure.message.contains(path))
    }
  }

  @Test(.timeLimit(.minutes(5))) func survivesTruncationAtEachPage() throws {
    for length in stride(from: 0, to: intact.count, by: 4096) {
      writeFile(path + "/run.db", intact[..<length])
      for name in ["run.db-wal", "run.db-shm"] { unlink(path + "/" + name) }
      let failures = readEverything()
      #expect(!failures.isEmpty, "\(length) of \(intact.count) bytes")
      for failure in failures {
        #expect([.corrupt, .notARun].contains(failure.code), "\(length): \(failure)")
      }
    }
  }

  @Test func refusesWhatIsNoDatabase() throws {
    writeFile(path + "/run.db", Array("#!/bin/sh\necho this is a script, not a database\n".utf8))
    expectFailure(.corrupt) { try RunReader(directory: path) }
    expectFailure(.corrupt) { try RunStore.resume(at: path, life: deadLife) }
  }

  @Test(
    .enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"),
    arguments: [
      ("PRAGMA user_version = 99", StoreFailure.Code.newerSchema),
      ("PRAGMA application_id = 1", .notARun),
      ("DELETE FROM run", .notARun),
      ("DROP TABLE run", .corrupt)
    ])
  func refusesWhatIsNoRunOfThisKelvin(sql: String, code: StoreFailure.Code) throws {
    #expect(shell("sqlite3 \(path)/run.db 'PRAGMA foreign_keys = OFF; \(sql)'").code == 0)
    let before = readFile(path + "/run.db")
    expectFailure(code) { try RunReader(directory: path) }
    expectFailure(code) { try RunStore.resume(at: path, life: deadLife) }
    #expect(readFile(path + "/run.db") == before, "nothing was written")
  }

  /// Values that no Kelvin writes, in every column.
  @Test(.enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"), .timeLimit(.minutes(5)))
  func survivesForeignValuesInEachColumn() throws {
    let columns = shell(
      """
      sqlite3 \(path)/run.db "SELECT m.name || '.' || p.name || '.' || p.type FROM sqlite_master m, \
      pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' \
      AND m.name NOT LIKE 'grdb%'"
      """
    ).output.split(separator: "\n").map { $0.split(separator: ".") }
    #expect(columns.count > 70)
    for column in columns {
      let values =
        switch column[2] {
        case "INTEGER": ["-9223372036854775808", "9223372036854775807", "-1"]
        case "REAL": ["9e999"]
        case "BLOB": ["x'00'"]
        case "ANY": ["x'00'", "'text'"]
        default: ["''", "'{]'", "'[[[]]]'", "cast(x'ff00fe' as text)"]
        }
      for value in values {
        writeFile(path + "/run.db", intact)
        // Constraints may refuse the value: then nothing has changed.
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path + "/run.db", configuration: configuration)
        queue.inDatabase { database in
          _ = try? database.execute(
            sql: """
              PRAGMA synchronous = OFF;
              UPDATE OR IGNORE \(column[0]) SET \(column[1]) = \(value)
              """)
        }
        try queue.close()
        for failure in readEverything() {
          #expect([.corrupt, .notARun, .misuse].contains(failure.code), "\(column) \(failure)")
        }
      }
    }
  }
}
