import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// Whether a small file system can be mounted here: needs root and CAP_SYS_ADMIN.
let canMount: Bool = {
  let directory = TemporaryDirectory()
  guard shell("mount -t tmpfs -o size=1m tmpfs \(directory.path) 2>/dev/null").code == 0 else {
    return false
  }
  return shell("umount \(directory.path)").code == 0
}()

/// A small tmpfs of its own, unmounted with the last reference.
final class SmallFileSystem: Sendable {
  let directory = TemporaryDirectory()
  var path: String { directory.path }

  init(kilobytes: Int) throws {
    let result = shell("mount -t tmpfs -o size=\(kilobytes)k tmpfs \(directory.path)")
    try #require(result.code == 0)
  }

  deinit { _ = shell("umount -l \(directory.path)") }

  func remount(_ options: String) throws {
    try #require(shell("mount -o remount,\(options) \(path)").code == 0)
  }
}

@Suite(.serialized) struct StorageFailureTests {
  /// Full disks at many different moments: nothing that was reported as kept is lost, and the store
  /// goes on once there is space.
  @Test(
    .enabled(if: canMount, "needs root and mount(2)"), .timeLimit(.minutes(5)),
    arguments: Array(stride(from: 0, to: 60, by: 5)))
  func survivesAFullDisk(spareKilobytes: Int) throws {
    let disk = try SmallFileSystem(kilobytes: 8192)
    let path = disk.path + "/run"
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 100), life: deadLife)
    // The file goes on to fill what is left when the log grows.
    _ = shell(
      "dd if=/dev/zero of=\(disk.path)/filler bs=1k status=none 2>/dev/null; "
        + "truncate -s -\(spareKilobytes)k \(disk.path)/filler")
    var kept = 0
    var failures: [StoreFailure] = []
    for job in 0..<40 {
      do throws(StoreFailure) {
        try store.runJob(job)
        kept = job + 1
      } catch {
        failures.append(error)
        break
      }
    }
    let failure = try #require(failures.first)
    #expect(failure.code == .diskFull, "\(failure)")
    #expect(failure.message.contains(path))
    unlink(disk.path + "/filler")
    let reader = try RunReader(directory: path)
    #expect(try reader.verdictCounts()[.ok, default: 0] == kept)
    // The attempt at the job that failed may have begun; the job goes on where it stopped.
    let last = try reader.lastAttempt(ofJob: kept)
    if let last, last.outcome == nil {
      try store.finishAttempt(last.id, makeResult(), jobOutcome: .ok)
    } else {
      try store.runJob(kept)
    }
    for job in kept + 1..<200 { try store.runJob(job) }
    store.close()
    #expect(try RunReader(directory: path).verdictCounts() == [.ok: 200])
    #expect(try RunReader(directory: path).plan().jobs.count == 200)
  }

  @Test(.enabled(if: canMount, "needs root and mount(2)"))
  func saysThatTheDiskIsFullAtCreation() throws {
    let disk = try SmallFileSystem(kilobytes: 64)
    let error = expectFailure(.diskFull) {
      try RunStore.create(
        at: disk.path + "/run", run: makeRun(), plan: makePlan(iterations: 1000), life: deadLife)
    }
    #expect(error?.message.contains(disk.path) == true)
    #expect(shell("ls -A \(disk.path)/run").output == "")
  }

  @Test(.enabled(if: canMount, "needs root and mount(2)"), arguments: [true, false])
  func readsARunOnAReadOnlyFileSystem(isClosed: Bool) throws {
    let disk = try SmallFileSystem(kilobytes: 8192)
    let path = disk.path + "/a run%20?#"
    var store: RunStore? = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    try store?.runJob(0)
    if isClosed {
      store = nil
    } else {
      // What a killed process leaves: a log with commits, and no shared memory to read it by.
      for name in ["run.db", "run.db-wal"] {
        let bytes = try #require(readFile(path + "/" + name))
        mkdir(disk.path + "/cut", 0o777)
        writeFile(disk.path + "/cut/" + name, bytes)
      }
      store = nil
    }
    try disk.remount("ro")
    defer { try? disk.remount("rw") }
    let reader = try RunReader(directory: isClosed ? path : disk.path + "/cut")
    #expect(try reader.verdictCounts() == [.ok: 1, nil: 3])
    #expect(try reader.plan() == makePlan())
    expectFailure(.readOnly) {
      try RunStore.resume(at: reader.directory, life: .current())
    }
    let error = expectFailure(.readOnly) {
      try RunStore.create(
        at: disk.path + "/new", run: makeRun(), plan: makePlan(), life: deadLife)
    }
    #expect(error?.message.hasPrefix(disk.path) == true)
  }

  @Test(.enabled(if: canMount, "needs root and mount(2)"))
  func readsALogThatWasEmptiedOnAReadOnlyFileSystem() throws {
    let disk = try SmallFileSystem(kilobytes: 8192)
    let path = disk.path + "/run"
    do {
      let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
      try store.runJob(0)
      // A reader that stays keeps the database in its mode.
      let reader = try RunReader(directory: path)
      #expect(try reader.verdictCounts()[.ok] == 1)
      store.close()
      #expect(try reader.verdictCounts()[.ok] == 1)
      mkdir(disk.path + "/copy", 0o777)
      writeFile(disk.path + "/copy/run.db", try #require(readFile(path + "/run.db")))
    }
    try disk.remount("ro")
    defer { try? disk.remount("rw") }
    #expect(try RunReader(directory: disk.path + "/copy").verdictCounts()[.ok] == 1)
  }

  @Test(arguments: ["directory", "log", "moved"])
  func noticesThatTheRunVanished(what: String) throws {
    let directory = TemporaryDirectory()
    let path = directory("run")
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    try store.runJob(0)
    switch what {
    case "directory": try removeTree(path)
    case "log": unlink(path + "/run.db-wal")
    default: rename(path, directory("elsewhere"))
    }
    let error = expectFailure(.vanished) { try store.runJob(1) }
    #expect(error?.message.contains(path) == true)
    store.close()
    if what == "directory" { expectFailure(.notFound) { try RunReader(directory: path) } }
  }

  @Test func neitherWaitsForReadersNorKeepsThemWaiting() throws {
    let directory = TemporaryDirectory()
    let path = directory("run")
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    try store.runJob(0)
    // A reader in the middle of a transaction neither blocks the writer nor is blocked.
    let reader = try RunReader(directory: path)
    try reader.forEachJob { job in
      if job.position == 0 { try store.runJob(1) }
      #expect(try reader.verdictCounts()[.ok] == 2)
    }
  }
}
