import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

@Suite struct FrameDumpsTests {
  static let latency = """
    16666666
    0\t0\t0
    1000000000\t1016666666\t1010000000
    1016666666\t1033333332\t1020000000
    1033333332\t9223372036854775807\t9223372036854775807

    """
  static let statistics = """
    Applications Graphics Acceleration Info:
    Uptime: 4947799 Realtime: 5174952

    ** Graphics info for pid 20246 [com.example.app] **

    Total frames rendered: 987
    Profile data in ms:

    \tcom.example.app/com.example.app.Main/android.view.ViewRootImpl@1 (visibility=0)
    \tDraw\tPrepare\tProcess\tExecute
    ---PROFILEDATA---
    Flags,FrameTimelineVsyncId,IntendedVsync,Vsync,FrameInterval,FrameCompleted,
    0,1,100,100,8333333,2000000000,
    1,2,200,200,8333333,2500000000,
    0,3,300,300,8333333,2008333333,
    ---PROFILEDATA---

    ---PROFILEDATA---
    Flags,IntendedVsync,FrameCompleted,
    0,1,2016666666,
    0,1,20166
    ---PROFILEDATA---
    View hierarchy:

    """

  @Test func readsWhatSurfaceFlingerSays() {
    let dumps = FrameDumps(Array((Self.latency + Self.latency).utf8))
    #expect(dumps.refreshPeriod == 16_666_666)
    #expect(dumps.dumps.count == 2)
    #expect(dumps.dumps[0] == dumps.dumps[1])
    #expect(dumps.dumps[0].times == [1_016_666_666, 1_033_333_332])
    #expect(dumps.dumps[0].rows == 3)
  }

  @Test(arguments: ["\n", "\r\n"]) func readsTheFrameStatisticsOfAnApp(end: String) {
    let text = Self.statistics.split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: end)
    let dumps = FrameDumps(Array(text.utf8))
    #expect(dumps.refreshPeriod == 8_333_333)
    #expect(dumps.dumps.count == 1)
    #expect(dumps.dumps.first?.times == [2_000_000_000, 2_008_333_333, 2_016_666_666])
    #expect(dumps.dumps.first?.rows == 4)
  }

  @Test(arguments: [latency, statistics]) func survivesDamage(text: String) {
    withDamage(text) { damaged in
      let dumps = FrameDumps(damaged.bytes)
      #expect(dumps.dumps.allSatisfy { $0.times.allSatisfy { $0 > 0 && $0 < .max } })
      #expect(dumps.refreshPeriod.map { $0 > 0 } ?? true)
      let rate = FrameRate(
        dumps, after: FrameDumps(), refreshPeriod: dumps.refreshPeriod ?? 16_666_667,
        dropThreshold: 5)
      #expect(rate.framesPerSecond.map { $0.isFinite && $0 > 0 } ?? true)
      #expect(rate.missedRefreshes <= rate.times.count && rate.janks <= rate.times.count)
    }
  }

  /// A dump as SurfaceFlinger gives it, of frames that were presented at these milliseconds.
  static func dump(_ milliseconds: [Int]) -> String {
    "10000000\n" + milliseconds.map { "\($0)000000\t\($0)000000\t\($0)000000\n" }.joined()
  }

  private static func rate(
    _ dumps: [[Int]], after baseline: [Int] = [], dropThreshold: Double = 5
  ) -> FrameRate {
    FrameRate(
      FrameDumps(Array(dumps.map(dump).joined().utf8)),
      after: FrameDumps(Array(dump(baseline).utf8)), refreshPeriod: 10_000_000,
      dropThreshold: dropThreshold)
  }

  @Test func countsFramesOnceAndOnlyNewOnes() {
    let rate = Self.rate([[80, 90, 100, 110], [100, 110, 120], [120, 130]], after: [80, 90])
    #expect(rate.times == [100, 110, 120, 130].map { $0 * 1_000_000 })
    #expect(rate.framesPerSecond == 100)
    #expect(rate.janks == 0 && rate.missedRefreshes == 0 && !rate.hasGap)
  }

  @Test func seesMissedRefreshesJanksAndPauses() {
    // 10, 10, 20, 10, 40, 10 ms; then a pause of a second, and one more frame after it.
    let times = [10, 20, 30, 50, 60, 100, 110, 1110, 1120]
    let rate = Self.rate([times])
    #expect(rate.missedRefreshes == 2)
    // From 1 to 4 refreshes and back; 1 to 2 is no jank.
    #expect(rate.janks == 2)
    #expect(rate.framesPerSecond == 7 * 1000.0 / 110)
  }

  @Test(arguments: [[], [[]], [[10]], [[10, 10, 10]]]) func givesNoRateForTooFew(dumps: [[Int]]) {
    #expect(Self.rate(dumps).framesPerSecond == nil)
  }

  @Test func tellsWhenAWholeTablePassedBetweenTwoDumps() {
    let first = Array(1...128)
    #expect(Self.rate([first, Array(130...257)]).hasGap)
    #expect(!Self.rate([first, Array(128...255)]).hasGap)
    #expect(!Self.rate([first, Array(300...310)]).hasGap)
  }
}

/// A program named dumpsys on the search path of a shell; none of this has met Android.
@Suite struct FramesPerSecondTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func bench(dumpsys script: String) throws -> InstrumentBench {
    try directory.write("#!/bin/sh\n" + script, to: "bin/dumpsys")
    guard chmod(directory.path + "/bin/dumpsys", 0o755) == 0 else { throw Errno.current }
    return InstrumentBench(
      ShellConnection(argv: ["env", "PATH=\(directory.path)/bin:/usr/bin:/bin", "sh"]))
  }

  @Test(.timeLimit(.minutes(1))) func asksBeforeDuringAndAfterTheJob() async throws {
    let path = directory.path
    var bench = try bench(
      dumpsys: "printf '%s\\n' \"$@\" > \(path)/arguments\nexec cat \(path)/frames\n")
    bench.settings = ["fps": ["view": "SurfaceView - a b#0", "period": 0.1]]
    try directory.write(FrameDumpsTests.dump([80, 90]), to: "frames")
    bench.during = { job in
      // Renamed into place, so that no dump is half a file.
      func show(_ milliseconds: [Int]) throws {
        try HostFile.write(
          Array(FrameDumpsTests.dump(milliseconds).utf8), to: path + "/frames.new")
        guard rename(path + "/frames.new", path + "/frames") == 0 else { throw Errno.current }
      }
      try show([90, 100, 110])
      let log = try job.directory() + "/dumpsys.log"
      let deadline = Deadline.after(seconds: 20)
      while !String(decoding: (try? HostFile.read(log)) ?? [], as: UTF8.self).contains(
        "110000000\n")
      {
        try #require(!deadline.hasPassed, "was not asked during the job")
        try await Task.sleep(for: .milliseconds(5))
      }
      try show([110, 130])
    }
    let record = try await bench.run([FramesPerSecond.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    #expect(try job.value("total_frames") == 3)
    #expect(try job.value("fps") == 2 * 1000.0 / 30)
    #expect(try job.value("missed_vsync") == 1)
    #expect(try job.value("janks") == 0)
    let csv = try #require(job.artifacts.first { $0.name == "frames.csv" })
    #expect(
      String(decoding: try record.content(csv), as: UTF8.self)
        == "time_ns\n100000000\n110000000\n130000000\n")
    #expect(
      String(decoding: try HostFile.read(path + "/arguments"), as: UTF8.self)
        == "SurfaceFlinger\n--latency\nSurfaceView - a b#0\n")
  }

  @Test(.timeLimit(.minutes(1))) func saysWhenThereAreTooFewFrames() async throws {
    var bench = try bench(dumpsys: "echo 'No process found for: com.example'\n")
    bench.settings = ["fps": ["package": "com.example"]]
    let job = try #require(try await bench.run([FramesPerSecond.self]).jobs.first)
    #expect(job.outcome == .ok)
    #expect(!job.metrics.contains { $0.name == "fps" })
    #expect(job.messages(.warning).contains { $0.contains("too few for a rate") })
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWithoutAndroidOrAChoice() async throws {
    var bench = InstrumentBench(
      FaultyConnection(base: LocalConnection(), missing: ["dumpsys"]))
    var record = try await bench.run([FramesPerSecond.self])
    #expect(record.log.contains("fps: unavailable on this target: neither a view nor a package"))
    bench.settings = ["fps": ["package": "com.example"]]
    record = try await bench.run([FramesPerSecond.self])
    #expect(record.log.contains("fps: unavailable on this target: dumpsys: not found"))
  }
}
