import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

struct RunCatalogTests {
  let directory = TemporaryDirectory()
  let catalog: RunCatalog

  init() throws {
    catalog = RunCatalog(directory: directory("runs"))
  }

  @discardableResult
  private func makeRun(_ name: String, created: Int64, isEnded: Bool = true) throws -> RunStore {
    let store = try RunStore.create(
      at: directory("runs/" + name),
      run: KelvinStoreTests.makeRun(name: name, created: created), plan: makePlan(),
      life: isEnded ? deadLife : .current())
    try store.runJob(0)
    if isEnded {
      try store.setRunState(.ended, outcome: .ok)
      store.close()
    }
    return store
  }

  private func names() -> [String] {
    shell("ls -A \(directory("runs"))").output.split(separator: "\n").map(String.init)
  }

  @Test func listsRunsNewestFirst() throws {
    #expect(try catalog.entries().isEmpty)
    try makeRun("b", created: 1)
    try makeRun("a", created: 3)
    let live = try makeRun("c", created: 2, isEnded: false)
    mkdir(directory("runs/none"), 0o777)
    mkdir(directory("runs/damaged"), 0o777)
    writeFile(directory("runs/damaged/run.db"), Array("rubbish".utf8))
    writeFile(directory("runs/file"), [])
    symlink(directory("runs/a"), directory("runs/link"))
    let entries = try catalog.entries()
    #expect(entries.map(\.name) == ["a", "c", "b", "damaged"])
    #expect(entries.map(\.info?.isInProgress) == [false, true, false, nil])
    #expect(entries[0].verdicts == [.ok: 1, nil: 3])
    #expect(entries[0].info?.state == .ended)
    #expect(entries[0].size > 4096)
    #expect(entries[3].failure?.code == .corrupt)
    live.close()
  }

  @Test func keepsTheNewestRuns() throws {
    for (index, name) in ["a", "b", "c", "d", "e"].enumerated() {
      try makeRun(name, created: Int64(index))
    }
    let live = try makeRun("live", created: -1, isEnded: false)
    let pruning = try catalog.prune(keep: 2)
    #expect(pruning.deleted.map(\.name) == ["c", "b", "a"])
    #expect(pruning.failures.isEmpty)
    #expect(names() == ["d", "e", "live"])
    #expect(try catalog.prune(keep: 2).deleted.isEmpty)
    live.close()
    #expect(try catalog.prune(keep: 0).deleted.count == 3)
    #expect(names().isEmpty)
  }

  @Test func deletesNothingButRuns() throws {
    try makeRun("run", created: 1)
    mkdir(directory("outside"), 0o777)
    writeFile(directory("outside/file"), [1])
    try makeRun("../elsewhere", created: 1)
    symlink(directory("elsewhere"), directory("runs/link"))
    symlink(directory("outside"), directory("runs/run/link"))
    symlink(directory("outside/file"), directory("runs/run/filelink"))
    mkdir(directory("runs/run/jobs"), 0o777)
    writeFile(directory("runs/run/jobs/f"), [1])
    // A name that is no UTF-8.
    #expect(shell("touch \"$(printf '\(directory("runs/run/jobs"))/a\\377b')\"").code == 0)
    mkdir(directory("runs/other"), 0o777)
    writeFile(directory("runs/other/run.db"), Array("SQLite format 3\0".utf8))
    #expect(shell("sqlite3 \(directory("runs/app")).db 'CREATE TABLE a(b)'").code == 0)
    mkdir(directory("runs/foreign"), 0o777)
    rename(directory("runs/app.db"), directory("runs/foreign/run.db"))
    #expect(try catalog.prune(keep: 0).deleted.map(\.name) == ["run"])
    #expect(names() == ["foreign", "link", "other"])
    #expect(readFile(directory("outside/file")) == [1])
    #expect(FileIdentity(of: directory("elsewhere/run.db")) != nil)
  }

  @Test func refusesToDeleteARunInProgress() throws {
    let live = try makeRun("live", created: 1, isEnded: false)
    expectFailure(.busy) { try RunCatalog.remove(run: directory("runs/live")) }
    expectFailure(.notFound) { try RunCatalog.remove(run: directory("runs")) }
    live.close()
    try RunCatalog.remove(run: directory("runs/live"))
    #expect(names().isEmpty)
  }
}
