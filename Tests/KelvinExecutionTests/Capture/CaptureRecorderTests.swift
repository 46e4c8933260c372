import KelvinExecution
import KelvinMeters
import KelvinModel
import KelvinStore
import Testing

/// What a meter brings, in a store.
struct CaptureRecorderTests {
  private final class FakeMeter: Meter {
    let identity = MeterIdentity(name: "fake", driver: "fake", serial: "7")
    let channels = [
      Channel(name: "i", unit: "A", scale: 0.001, kind: .current),
      Channel(name: "v", unit: "V", scale: 0.001, kind: .voltage)
    ]
    let rate: Double? = 1000
    func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {}
    func stop(until deadline: Deadline) async -> CaptureSummary { CaptureSummary(samples: [0, 0]) }
  }

  private static let soon = Deadline.after(seconds: 60)

  private func store(_ directory: TemporaryDirectory) throws -> RunStore {
    try RunStore.create(
      at: directory.path + "/run",
      run: RunRecord(
        id: "x", name: "x", kelvinVersion: "0", commandLine: [], board: "local",
        createdWallNanoseconds: 0, sources: []),
      plan: Plan(settings: RunSettings(), specs: [], jobs: []), life: .current())
  }

  /// Milliseconds from one to another, the code being the time itself.
  private func blocks(_ range: Range<Int64>) -> [SampleBlock] {
    (0..<2).map { channel in
      SampleBlock(channel: channel, times: range.map { $0 * 1_000_000 }, codes: Array(range))
    }
  }

  @Test func storesWhatCameAndWhatHappened() async throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory)
    let recorder = try CaptureRecorder(FakeMeter(), into: store, attempt: nil, source: "fake")
    recorder.take(blocks(0..<10))
    try recorder.flush()
    recorder.take(CaptureEvent(.overrun, from: 9_000_000, to: 12_000_000, count: 2))
    recorder.take(blocks(12..<20))
    try recorder.finish(
      CaptureSummary(
        samples: [18, 18], lost: 2, clock: .host,
        failure: MeterFailure(.gone, "fake: it has gone")))
    store.close()
    let reader = try RunReader(directory: directory.path + "/run")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    #expect(capture.meter?.serial == "7" && capture.clock == .host)
    #expect(capture.channels.map(\.name) == ["i", "v"])
    #expect(capture.summary?["lost"] == 2 && capture.summary?["failure"] == "fake: it has gone")
    let codes = try reader.blocks(ofCapture: capture.id, channel: 1).flatMap(\.codes)
    #expect(codes == Array(0..<10) + Array(12..<20))
    #expect(try reader.events(ofCapture: capture.id).map(\.kind) == [.overrun])
    #expect(recorder.counts.stored == 36)
  }

  @Test func keepsWhatCameJustBeforeATrigger() async throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory)
    let recorder = try CaptureRecorder(
      FakeMeter(), into: store, attempt: nil, source: "fake",
      trigger: .init(channel: 0, isAbove: true, value: 0.0995, before: 20_000_000))
    for start in stride(from: Int64(0), to: 200, by: 10) {
      recorder.take(blocks(start..<start + 10))
      try recorder.flush()
      // 99.5 mA: from the sample with code 100 on.
      #expect(recorder.isTriggered == (start >= 100))
    }
    try recorder.finish(CaptureSummary(samples: [200, 200]))
    store.close()
    let reader = try RunReader(directory: directory.path + "/run")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    for channel in 0..<2 {
      let codes = try reader.blocks(ofCapture: capture.id, channel: channel).flatMap(\.codes)
      #expect(codes == Array(80..<200))
    }
    let mark = try #require(try reader.events(ofCapture: capture.id).first)
    #expect(mark.kind == .mark && mark.from == 100_000_000 && mark.note == "trigger")
  }

  @Test func recordsNothingWithoutItsTrigger() async throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory)
    let recorder = try CaptureRecorder(
      FakeMeter(), into: store, attempt: nil, source: "fake",
      trigger: .init(channel: 1, isAbove: false, value: -1, before: 0))
    recorder.take(blocks(0..<100))
    try recorder.finish(CaptureSummary(samples: [100, 100]))
    store.close()
    let reader = try RunReader(directory: directory.path + "/run")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    #expect(try reader.blocks(ofCapture: capture.id, channel: 0).isEmpty)
    #expect(capture.summary?["triggered"] == false)
  }

  @Test func dropsWhatFindsNoRoomAndSaysSo() async throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory)
    let recorder = try CaptureRecorder(
      FakeMeter(), into: store, attempt: nil, source: "fake",
      trigger: .init(channel: 0, isAbove: true, value: 1e9, before: .max / 4))
    let many = (0..<5).map { part in
      SampleBlock(
        channel: 0, times: .regular(first: Int64(part) << 40, step: 1000, count: 1 << 20),
        codes: [Int64](repeating: 1, count: 1 << 20))
    }
    for block in many { recorder.take([block]) }
    // Four blocks fill the room.
    #expect(recorder.counts.dropped == 1 << 20)
  }
}
