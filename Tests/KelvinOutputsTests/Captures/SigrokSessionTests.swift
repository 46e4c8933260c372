import KelvinModel
import Testing

@testable import KelvinOutputs

struct SigrokSessionTests {
  private let mixed =
    [Sample.channels[1]]
    + (0..<9).map { Channel(name: "D\($0)", unit: "", kind: MeterChannel.Kind.logic) }

  @Test(.enabled(if: hasTool("sigrok-cli"), "needs sigrok-cli"))
  func isOpenedBySigrokCli() throws {
    let directory = TemporaryDirectory()
    let capture = Sample.regular(count: 100, rate: 2000, lost: 5, channels: mixed)
    writeBytes(directory("capture.sr"), try capture.exported(as: .sigrok))
    let path = directory("capture.sr")
    let shown = shell("sigrok-cli -i \(path) --show 2>&1").output
    for line in [
      "Samplerate: 2000", "Channels: 10", "- D8: logic", "- vdd.current [A]: analog",
      "Logic unitsize: 2", "Logic sample count: 105", "Analog sample count: 105"
    ] { #expect(shown.contains(line), "\(shown)") }
    // Raw logic samples of all nine inputs, as sigrok unpacks them.
    let bits = shell("sigrok-cli -i \(path) -O bits:width=0 2>/dev/null").output
    let row = bits.split(separator: "\n").first { $0.hasPrefix("D3:") } ?? ""
    let levels = row.dropFirst(3).filter { $0 == "0" || $0 == "1" }.map { Int64(String($0)) }
    let codes = capture.samples(4).codes
    let held = codes[..<50] + repeatElement(codes[49], count: 5) + codes[50...]
    #expect(levels == held.map(Optional.some))
    let analog = shell("sigrok-cli -i \(path) -C 'vdd.current [A]' -O analog:digits=9").output
    let values = analog.split(separator: "\n").compactMap { line in
      line.split(separator: " ").dropFirst(2).first.flatMap { Double($0) }
    }
    #expect(values.count == 105, "\(analog.prefix(300))")
  }

  @Test(.enabled(if: hasTool("sigrok-cli"), "needs sigrok-cli"))
  func readsWhatSigrokCliWrites() throws {
    let directory = TemporaryDirectory()
    let path = directory("demo.sr")
    let device = "demo:analog_channels=1:logic_channels=2"
    let made = shell(
      "sigrok-cli -d \(device) --config samplerate=1k --samples 40 -o \(path) 2>&1")
    #expect(made.code == 0, "\(made.output)")
    let capture = try SigrokSession.read(readBytes(path), name: "demo")
    #expect(capture.damage == nil)
    #expect(capture.channels.map(\.name) == ["D0", "D1", "A0"])
    #expect(capture.samples(0).times.prefix(3) == [0, 1_000_000, 2_000_000])
    // The demo device's first analog channel is a square wave of 10 V.
    #expect(Set(capture.samples(2).values) == [-10, 10])
    #expect(capture.samples(1).codes.count == 40)
  }

  @Test func readsItsOwnFilesBack() throws {
    for original in [
      Sample.regular(count: 300, lost: 4), Sample.regular(count: 50, channels: mixed),
      Sample.regular(count: 50, lost: 4, channels: mixed)
    ] {
      let read = try SigrokSession.read(try original.exported(as: .sigrok), name: "x")
      #expect(read.damage == nil)
      #expect(read.channels == original.channels)
      #expect(read.clock == original.clock)
      for index in original.channels.indices {
        #expect(read.samples(index).codes == original.samples(index).codes)
        #expect(read.samples(index).times == original.samples(index).times)
      }
      #expect(Set(read.events) == Set(original.events))
    }
  }

  @Test func saysWhatItChangesAndRefusesSamplesWithoutARate() throws {
    let file = ExportFile()
    let notes = try SigrokSession.write(CaptureSource(Sample.regular(count: 9)), to: file)
    #expect(notes == ["analog values were rounded to single precision"])
    #expect {
      var capture = ImportedCapture(name: "x", channels: [Sample.channels[0]])
      capture.append(channel: 0, times: [0, 100, 101, 5_000_000_000], codes: [1, 2, 3, 4])
      _ = try capture.exported(as: .sigrok)
    } throws: { ($0 as? CaptureFileFailure)?.code == .notRepresentable }
  }

  @Test(.enabled(if: hasTool("unzip"), "needs unzip"))
  func isAZipThatUnzipAccepts() throws {
    let directory = TemporaryDirectory()
    writeBytes(directory("x.zip"), try Sample.regular(count: 3000).exported(as: .sigrok))
    let result = shell("unzip -t \(directory("x.zip")) 2>&1")
    #expect(result.code == 0, "\(result.output)")
    #expect(result.output.contains("No errors detected"))
  }
}

struct ZipArchiveTests {
  private func archive(_ members: [(String, [UInt8])]) throws -> [UInt8] {
    let file = ExportFile()
    var zip = ZipWriter(file)
    for (name, bytes) in members { try zip.add(name, bytes) }
    try zip.finish()
    return file.bytes
  }

  @Test func refusesWhatExpandsToMoreThanIsAllowed() throws {
    let bytes = try archive([("bomb", [UInt8](repeating: 0, count: 4 << 20))])
    #expect(bytes.count < 10_000)
    var zip = try ZipArchive(bytes, limit: 1 << 20)
    let bomb = zip.content("bomb")
    #expect(bomb?.damage?.code == .tooLarge)
    #expect(bomb?.bytes.isEmpty == true)
  }

  @Test func countsAllMembersTogether() throws {
    let half = [UInt8](repeating: 7, count: 600)
    var zip = try ZipArchive(try archive([("a", half), ("b", half)]), limit: 1000)
    let content1 = zip.content("a")
    #expect(content1?.bytes == half)
    let content2 = zip.content("b")
    #expect(content2?.damage?.code == .tooLarge)
  }

  @Test func findsMembersWhereTheDirectoryIsCutOff() throws {
    let bytes = try archive([("a", [1, 2, 3]), ("b", Array(0..<200))])
    var zip = try ZipArchive(Array(bytes.dropLast(30)), limit: 1000)
    #expect(zip.damage?.code == .truncated)
    let content3 = zip.content("a")
    #expect(content3?.bytes == [1, 2, 3])
    let content4 = zip.content("b")
    #expect(content4?.bytes == Array(0..<200))
    let content5 = zip.content("c")
    #expect(content5 == nil)
  }

  @Test func noticesAChangedByte() throws {
    let content = Array("a text that does not compress away".utf8)
    let bytes = try archive([("a", content)])
    var changed = 0
    for position in 31..<31 + 20 {
      var broken = bytes
      broken[position] ^= 1
      var zip = try ZipArchive(broken, limit: 1000)
      let found = zip.content("a")
      let read = try #require(found)
      if read.bytes != content { changed += 1 }
      #expect(read.bytes == content || read.damage != nil)
    }
    #expect(changed > 0)
  }
}
