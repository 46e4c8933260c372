import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// What a kill and a power cut in the middle of a capture leave: a beginning of it with everything up to
/// the last sync, nothing twice, and summaries that agree.
struct CaptureDurabilityTests {
  static let seed: UInt64 = 20_261_126

  /// Frames of the present generation of a write-ahead log, by SQLite's description of its format: a
  /// header of 32 bytes with two salts at 16, frames of 24 bytes and a page with the same salts at 8.
  private static func frames(_ log: [UInt8]) -> Int {
    guard log.count >= 32 else { return 0 }
    var count = 0
    while 32 + (count + 1) * 4120 <= log.count,
      log[32 + count * 4120 + 8..<32 + count * 4120 + 16] == log[16..<24]
    {
      count += 1
    }
    return count
  }

  /// 500 appends, each cut at one of the writes that it made or that a power cut may take: the pages
  /// behind the last sync reach the disk up to a random one, with rubbish behind it.
  @Test(.timeLimit(.minutes(2))) func keepsEverythingUpToTheLastSync() throws {
    var generator = SeededGenerator(seed: Self.seed)
    let run = try CaptureRun(channels: [
      Channel(name: "a", unit: "W"), Channel(name: "b", unit: "W")
    ])
    // The test decides when a commit goes to the disk.
    try run.store.access { _, state in state.syncInterval = .max }
    let copy = run.directory("copy")
    // Samples after each append.
    var totals = [0]
    var synced = (appends: 0, frames: Self.frames(readFile(run.path + "/run.db-wal") ?? []))
    var lost = 0
    for round in 0..<500 {
      let isSynced = Int.random(in: 0..<8, using: &generator) == 0
      try run.store.access { _, state in state.syncInterval = isSynced ? 0 : .max }
      let start = totals[round]
      let size = Int.random(in: 0..<20, using: &generator) == 0 ? 700 : 1 + round % 40
      totals.append(start + size)
      try run.append(
        SampleBlock(
          channel: 0, times: (start..<start + size).map { Self.time($0) },
          codes: (start..<start + size).map { Self.code($0) }),
        SampleBlock(
          channel: 1, times: .regular(first: Int64(start) * 1000, step: 1000, count: size),
          codes: (start..<start + size).map { Self.code($0) }))
      let log = try #require(readFile(run.path + "/run.db-wal"))
      let frames = Self.frames(log)
      // A checkpoint has put all that was synchronized into the database, and the log starts anew.
      if frames < synced.frames { synced.frames = 0 }
      if isSynced { synced = (round + 1, frames) }
      let cut = Int.random(in: synced.frames...frames, using: &generator)
      try? removeTree(copy)
      mkdir(copy, 0o777)
      writeFile(copy + "/run.db", try #require(readFile(run.path + "/run.db")))
      var torn = Array(log.prefix(32 + cut * 4120))
      for _ in 0..<Int.random(in: 0...5000, using: &generator) {
        torn.append(UInt8.random(in: 0...255, using: &generator))
      }
      writeFile(copy + "/run.db-wal", torn)
      let kept = try expectBeginning(in: copy, of: totals)
      #expect(kept >= synced.appends, "round \(round): \(kept) of \(synced.appends) synced")
      if cut == frames { #expect(kept == round + 1) }
      lost += round + 1 - kept
    }
    // The cuts did take something, or nothing was tested.
    #expect(lost > 100)
    #expect((totals.last ?? 0) > 2 * BlockLayout.blockCount)
  }

  private static func time(_ index: Int) -> Int64 {
    Int64(index) * 1000 + Int64(index * index % 77)
  }
  private static func code(_ index: Int) -> Int64 { Int64(index * 7919 % 5000) }

  /// Both channels hold the samples of the same appends, and their summaries say so; gives how many.
  private func expectBeginning(in copy: String, of totals: [Int]) throws -> Int {
    let reader = try RunReader(directory: copy)
    guard let capture = try reader.captures(ofAttempt: nil).first else { return 0 }
    let (times, codes) = try reader.samples(ofCapture: capture.id, channel: 0)
    let second = try reader.samples(ofCapture: capture.id, channel: 1)
    let count = codes.count
    let appends = try #require(totals.firstIndex(of: count), "\(count) samples")
    #expect(times == (0..<count).map(Self.time))
    #expect(codes == (0..<count).map(Self.code))
    #expect(second == ((0..<count).map { Int64($0) * 1000 }, codes))
    guard count > 1 else { return appends }
    for points in [1, 40] {
      let zoom = try reader.zoom(
        capture: capture.id, channel: 0, from: times[0], to: times[count - 1], points: points)
      #expect(zoom.reduce(0) { $0 + $1.count } == Int64(count))
      #expect(zoom.map(\.max).max() == codes.max().map(Double.init))
      #expect(
        zoom.filter { $0.count > 0 }.reduce(0) { $0 + $1.mean * Double($1.count) }.rounded()
          == Double(codes.reduce(0, +)))
    }
    return appends
  }

  /// Two syncs a second, however often something is appended.
  @Test func goesToTheDiskTwiceASecond() throws {
    let run = try CaptureRun()
    func lastSync() throws -> MonotonicTime? { try run.store.access { $1.lastSync } }
    try run.append(SampleBlock(channel: 0, times: [1], codes: [1]))
    let first = try #require(try lastSync())
    for time in 2..<50 { try run.append(SampleBlock(channel: 0, times: [Int64(time)], codes: [1])) }
    // Unless this took as long, or the disk did, nothing went to the disk since.
    let isSlow = try run.store.access { $1.lastSyncDuration > 110_000_000 }
    if MonotonicTime.now - first < 390_000_000, !isSlow { #expect(try lastSync() == first) }
    try run.store.access { _, state in state.syncInterval = 0 }
    try run.append(SampleBlock(channel: 0, times: [60], codes: [1]))
    #expect(try #require(try lastSync()) > first)
  }

  /// With appends that begin each 250 ms, or when the one before is done, and come up to 0.15 s after what they
  /// bring, the oldest sample that is not on the disk is younger than a second, however long a sync takes up to 0.4 s.
  @Test(arguments: [0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4])
  func theOldestSampleThatIsNotOnTheDiskIsYoungerThanASecond(disk: Double) throws {
    let run = try CaptureRun()
    try run.store.access { _, state in
      let duration = Int64(disk * 1e9)
      var now: Int64 = 0
      var oldest = 0.0
      state.lastSyncDuration = duration
      state.lastSync = MonotonicTime(nanoseconds: 0)
      var syncs = 0
      while now < 20_000_000_000 {
        let isDue = state.isSyncDue(at: MonotonicTime(nanoseconds: now))
        // An append without a sync may take some time, too.
        let end = now + (isDue ? duration : duration / 4)
        if isDue, let last = state.lastSync {
          // What came just after the append of the last sync had begun.
          oldest = max(oldest, Double(end - last.nanoseconds) / 1e9 + 0.15)
          state.lastSync = MonotonicTime(nanoseconds: now)
          syncs += 1
        }
        now = max(now + 250_000_000, end)
      }
      #expect(oldest < 1, "\(oldest)")
      // And no more often than that needs.
      #expect(disk > 0.1 || syncs <= 40, "\(syncs)")
    }
  }

  /// A capture that meets a full disk goes on where it was.
  @Test(.enabled(if: canMount, "needs root and mount(2)"), .timeLimit(.minutes(1)))
  func goesOnAfterAFullDisk() throws {
    let disk = try SmallFileSystem(kilobytes: 2048)
    let path = disk.path + "/run"
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    let capture = try store.beginCapture(
      attempt: nil, source: "s", channels: [Channel(name: "c", unit: "W")])
    var generator = SeededGenerator(seed: 2)
    var codes: [Int64] = []
    var failures = 0
    _ = shell("dd if=/dev/zero of=\(disk.path)/filler bs=1k count=1200 status=none")
    for _ in 0..<300 where failures < 3 {
      let part = (0..<3000).map { _ in Int64.random(in: 0...1000, using: &generator) }
      let block = SampleBlock(
        channel: 0, times: .regular(first: Int64(codes.count), step: 1, count: 3000), codes: part)
      do throws(StoreFailure) {
        try store.append(capture: capture, blocks: [block])
        codes += part
      } catch {
        #expect(error.code == .diskFull)
        failures += 1
      }
    }
    #expect(failures == 3)
    unlink(disk.path + "/filler")
    let part = Array(repeating: Int64(7), count: 3000)
    try store.append(
      capture: capture,
      blocks: [
        SampleBlock(
          channel: 0, times: .regular(first: Int64(codes.count), step: 1, count: 3000), codes: part)
      ])
    store.close()
    let samples = try RunReader(directory: path).samples(ofCapture: capture, channel: 0)
    #expect(samples.codes == codes + part)
    #expect(samples.times == (0..<Int64(codes.count + 3000)).map { $0 })
  }
}
