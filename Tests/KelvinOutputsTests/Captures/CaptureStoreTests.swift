import KelvinModel
import KelvinStore
import Testing

@testable import KelvinOutputs

/// The way of an imported capture into a run, and out of it again.
struct CaptureStoreTests {
  private func store(_ capture: ImportedCapture, at path: String) throws -> RunReader {
    try capture.store(
      at: path,
      run: RunRecord(
        id: "x", name: "x", kelvinVersion: "1", commandLine: [], board: "none",
        createdWallNanoseconds: 0, sources: []))
    return try RunReader(directory: path)
  }

  @Test func aRunKeepsAllOfACapture() throws {
    let directory = TemporaryDirectory()
    var original = Sample.regular(count: 20_000, lost: 7)
    original.clock.skewUncertainty = 1e-7
    let time = original.clock.origin + Sample.second
    original.events.append(CaptureEvent(.mark, from: time, to: time, note: "phase 1"))
    original.events.append(
      CaptureEvent(.saturation, channel: 1, from: time, to: time + 5_000_000, count: 6))
    let run = try store(original, at: directory("run"))
    let record = try #require(try run.captures(ofAttempt: nil).first)
    let source = try CaptureSource(record, in: run)
    #expect(source.meter == original.meter)
    #expect(source.clock == original.clock)
    #expect(Set(source.events) == Set(original.events))
    #expect(source.reference == original.reference)
    // And out again, by a file that keeps everything.
    let file = ExportFile()
    _ = try JLSFile.write(source, to: file)
    let read = try JLSFile.read(file.bytes, name: "x")
    #expect(read.meter == original.meter)
    #expect(read.clock == original.clock)
    #expect(Set(read.events) == Set(original.events))
    for index in original.channels.indices {
      #expect(read.samples(index).codes == original.samples(index).codes)
      #expect(read.samples(index).times == original.samples(index).times)
    }
  }

  @Test func aRunOfADamagedFileIsPartialAndSaysWhy() throws {
    let directory = TemporaryDirectory()
    var capture = Sample.regular(count: 10)
    capture.damage = CaptureFileFailure(.truncated, "the file ends early")
    let run = try store(capture, at: directory("run"))
    #expect(try run.run().outcome?.verdict == .partial)
    let events = try run.events(ofAttempt: nil)
    #expect(events.contains { $0.message.contains("the file ends early") })
  }
}
