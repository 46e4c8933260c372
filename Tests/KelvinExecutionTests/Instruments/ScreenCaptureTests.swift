import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinTargets
import Testing

@testable import KelvinExecution

/// A gray picture of one pixel: IHDR, IDAT, IEND.
private let picture: [UInt8] =
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
  + [0, 0, 0, 13] + Array("IHDR".utf8) + [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]
  + [0x3a, 0x7e, 0x9b, 0x55]
  + [0, 0, 0, 10] + Array("IDAT".utf8) + [0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1]
  + [0x48, 0xaf, 0xa4, 0x71]
  + [0, 0, 0, 0] + Array("IEND".utf8) + [0xae, 0x42, 0x60, 0x82]

@Suite struct PNGStreamTests {
  @Test func findsImagesOneAfterTheOther() {
    let count = picture.count
    let stream = PNGStream(picture + picture + picture.prefix(20) + picture + [1, 2, 3])
    #expect(
      stream.images == [0..<count, count..<(2 * count), (2 * count + 20)..<(3 * count + 20)])
    #expect(stream.leftOver == 23)
  }

  @Test func leavesOutWhatIsCutAtAnyByte() {
    for length in 0..<picture.count {
      let stream = PNGStream(Array(picture[..<length]))
      #expect(stream.images.isEmpty && stream.leftOver == length)
      #expect(PNGStream(Array(picture[..<length]) + picture).images.count == 1)
    }
  }

  @Test func staysWithinTheBytesWhateverTheyAre() {
    var random = SplitMix(state: 20_261_126)
    for _ in 0..<5000 {
      var bytes = picture + picture
      for _ in 0...Int(random.next() % 6) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      let stream = PNGStream(bytes)
      var end = 0
      for image in stream.images {
        #expect(image.lowerBound >= end && image.upperBound <= bytes.count)
        end = image.upperBound
      }
    }
    // Many begins without an end.
    let begins = (0..<50_000).flatMap { _ in picture.prefix(8) }
    #expect(PNGStream(begins).images.isEmpty)
  }
}

/// A program named screencap on the search path of a shell; none of this has met Android.
@Suite struct ScreenCaptureTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func bench(screencap script: String) throws -> InstrumentBench {
    try HostFile.write(picture, to: directory.path + "/picture")
    try directory.write("#!/bin/sh\n" + script, to: "bin/screencap")
    guard chmod(directory.path + "/bin/screencap", 0o755) == 0 else { throw Errno.current }
    return InstrumentBench(
      ShellConnection(argv: ["env", "PATH=\(directory.path)/bin:/usr/bin:/bin", "sh"]))
  }

  @Test(.timeLimit(.minutes(1))) func takesPicturesDuringAndAfterTheJob() async throws {
    let path = directory.path
    var bench = try bench(
      screencap: "test \"$*\" = -p && cat \(path)/picture && echo >> \(path)/taken\n")
    bench.settings = ["screen_capture": ["period": 1]]
    bench.argv = [
      "sh", "-c", "while test -d \(path) && ! test -e \(path)/taken; do sleep 0.02; done"
    ]
    let record = try await bench.run([ScreenCapture.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    #expect(try job.value("screen_captures") == 2)
    let pictures = job.artifacts.filter { $0.name.hasPrefix("screen-") }
    #expect(pictures.map(\.name).sorted() == ["screen-0001.png", "screen-0002.png"])
    for artifact in pictures { #expect(try record.content(artifact) == picture) }
    let attempt = try #require(pictures.first?.path.split(separator: "/").dropLast())
    let names = try await output(
      of: ["ls", record.directory.path + "/run/" + attempt.joined(separator: "/")], in: "/")
    #expect(!names.contains("pngs"), "\(names)")
  }

  @Test(.timeLimit(.minutes(1))) func saysWhenThereIsNoPicture() async throws {
    let bench = try bench(screencap: "echo 'no display'\n")
    let job = try #require(try await bench.run([ScreenCapture.self]).jobs.first)
    #expect(try job.value("screen_captures") == 0)
    #expect(job.messages(.warning).contains { $0.contains("is no picture") })
  }

  @Test(.timeLimit(.minutes(1))) func marksAJobWhoseScreenCannotBeTaken() async throws {
    let bench = try bench(screencap: "echo 'permission denied' >&2; exit 1\n")
    let job = try #require(try await bench.run([ScreenCapture.self]).jobs.first)
    #expect(job.outcome.verdict == .partial)
    #expect(job.outcome.reason.contains("permission denied"), "\(job.outcome.reason)")
  }
}
