import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// A rollback journal that a dead process left, as when Kelvin is killed while it brings run.db into
/// its final form.
@Suite struct RollbackTests {
  let directory = TemporaryDirectory()

  @Test(.timeLimit(.minutes(5)), .enabled(if: hasTool("python3"), "needs python3"))
  func aHotJournalIsRolledBackForReadersAndWriters() throws {
    let path = directory("run")
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    try store.runJob(0)
    store.close()
    // Dies in the middle of a transaction that has already changed the file.
    let result = shell(
      """
      python3 -c '
      import os, sqlite3, sys
      connection = sqlite3.connect(sys.argv[1], isolation_level=None)
      connection.execute("pragma cache_size = 1")
      connection.execute("begin immediate")
      connection.execute("update jobs set reason = ?", ("x" * 20000,))
      connection.execute("update specs set label = ?", ("y" * 20000,))
      os.kill(os.getpid(), 9)
      ' \(path)/run.db
      """)
    #expect(result.code != 0)
    var status = stat()
    try #require(stat(path + "/run.db-journal", &status) == 0 && status.st_size > 0)
    let reader = try RunReader(directory: path)
    #expect(try reader.job(0)?.outcome == .ok)
    #expect(try reader.specs() == makePlan().specs)
    let next = try RunStore.resume(at: path, life: .current())
    #expect(try next.reopenStoppedJobs().count == makePlan().jobs.count - 1)
    next.close()
  }
}
