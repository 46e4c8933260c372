import Foundation
import Testing

// The supply goes while Kelvin records: its disk is QEMU's, which logs every write and flush.
extension BenchHostTests {
  /// Cut at 20 writes, and within them, with any part of what was not flushed lost: the run opens, what it holds
  /// is a beginning of the capture, and all that was on the disk at the last flush is there. 500 cuts and the
  /// seconds that they cost: `scripts/bench --only powercut`, of which this is a part.
  @Test func keepsWhatWasRecordedWhenThePowerGoes() throws {
    let host = try #require(VirtualGuest.current)
    let done = try VirtualGuest.program(
      "/usr/bin/python3",
      [
        VirtualGuest.root + "/Benchmarks/powercut.py", host.folder, "--kelvin",
        VirtualGuest.root + "/.build/debug/kelvin", "--seconds", "3", "--boundaries", "20"
      ])
    #expect(done.code == 0, "\(done)")
    #expect(done.output.contains("20 cuts, 0 bad"), "\(done)")
    #expect(done.output.contains("a disk that forgets is noticed"), "\(done)")
  }
}
