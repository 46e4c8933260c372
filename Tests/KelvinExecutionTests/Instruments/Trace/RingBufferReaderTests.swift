import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinExecution

/// With files in the place of a kernel's: what a target may give that is not right.
@Suite(.timeLimit(.minutes(1))) struct RingBufferReaderTests {
  private func drain(
    _ stats: String?, pages: Int, extra: Int = 0, bufferKiB: Int = 1408, way: Way = .direct
  ) async throws -> (bytes: [UInt8], cut: Int) {
    let directory = try TemporaryDirectory()
    let layout = try #require(RingBufferLayout.test())
    try directory.write("", to: "per_cpu/cpu3/other")
    if let stats { try directory.write(stats, to: "per_cpu/cpu3/stats") }
    let content = (0..<(pages * 4096 + extra)).map { UInt8(truncatingIfNeeded: $0 / 4096) }
    if pages + extra > 0 {
      try HostFile.write(content, to: directory.path + "/per_cpu/cpu3/trace_pipe_raw")
    }
    let reader = RingBufferReader(
      base: TargetPath(directory.path), layout: layout, bufferKiB: bufferKiB)
    var bytes: [UInt8] = []
    let cut = try await reader.drain(
      cpu: 3, way.connection, until: .after(seconds: 40)
    ) { bytes += $0 }
    return (bytes, cut)
  }

  @Test(arguments: Way.allCases) func readsNothingWhereNothingIs(way: Way) async throws {
    let result = try await drain("entries: 0\noverrun: 7\n", pages: 4, way: way)
    #expect(result.bytes.isEmpty && result.cut == 0)
  }

  @Test(
    arguments: [
      (nil, 1, 0, "exited with 1"), ("", 1, 0, "exited with 2"),
      ("entries: 5\n", 0, 0, "exited with 1"),
      // Never less than before: the pages are those of a file, read again and again.
      ("entries: 5000\n", 40, 0, "gives more than its buffer of 1408 KiB can hold"),
      ("entries: 5000\n", 0, 100, "exited with 3")
    ] as [(String?, Int, Int, String)])
  func giveUpOnATargetThatIsNotRight(
    stats: String?, pages: Int, extra: Int, message: String
  ) async throws {
    let failure = await #expect(throws: PlainFailure.self) {
      _ = try await drain(stats, pages: pages, extra: extra)
    }
    #expect(failure?.message.contains(message) == true, "\(failure?.message ?? "")")
    #expect(failure?.kind == .target)
  }

  @Test(arguments: ["99999999999999999999999", "-1", "x", "0x10", "$(exit)", ""])
  func refusesNumbersThatNoKernelSays(number: String) async throws {
    let failure = await #expect(throws: PlainFailure.self) {
      _ = try await drain("entries: \(number)\n", pages: 2)
    }
    #expect(failure?.message.hasSuffix("exited with 2") == true, "\(failure?.message ?? "")")
  }
}
