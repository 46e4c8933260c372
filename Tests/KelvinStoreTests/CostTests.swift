import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

struct CostTests {
  let directory = TemporaryDirectory()

  private func size(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Bytes of run.db that a no-op job adds; the budget is 700 (issue 2: 2 KB with run.log).
  @Test(.timeLimit(.minutes(5)), arguments: [100, 2000])
  func takesFewBytesAJob(jobs: Int) throws {
    let path = directory("run")
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: jobs / 2), life: deadLife)
    try store.checkpoint()
    let before = size(path + "/run.db")
    for job in 0..<jobs { try store.runJob(job) }
    store.close()
    let bytes = (size(path + "/run.db") - before) / jobs
    print("run.db grows by \(bytes) bytes a no-op job of \(jobs)")
    #expect(bytes < 300)
  }

  /// The log starts again at a checkpoint, however many jobs there are.
  @Test(.timeLimit(.minutes(5))) func keepsTheLogSmall() throws {
    let path = directory("run")
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 500), life: deadLife)
    for job in 0..<1000 { try store.runJob(job) }
    #expect(size(path + "/run.db-wal") < 5 << 20)
  }
}
