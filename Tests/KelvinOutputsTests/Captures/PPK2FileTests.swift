import KelvinModel
import Testing

@testable import KelvinOutputs

struct PPK2FileTests {
  private let channels =
    [Sample.channels[1]]
    + (0..<8).map { Channel(name: "D\($0)", unit: "", kind: MeterChannel.Kind.logic) }

  @Test func holdsWhatNordicsAppReads() throws {
    let directory = TemporaryDirectory()
    let capture = Sample.regular(count: 50_000, rate: 100_000, lost: 3, channels: channels)
    writeBytes(directory("capture.ppk2"), try capture.exported(as: .ppk2))
    // Read by Python's zipfile by the app's own rules, big-endian bits included.
    let printed = python(
      """
      import json, struct, zipfile
      z = zipfile.ZipFile("\(directory("capture.ppk2"))")
      assert z.testzip() is None
      m = json.loads(z.read("metadata.json"))
      print("meta", m["formatVersion"], m["metadata"]["samplesPerSecond"], m["metadata"]["startSystemTime"])
      raw = z.read("session.raw")
      print("frames", len(raw) // 6, len(raw) % 6)
      for n in (0, 7, 25001):
        print("frame", n, repr(struct.unpack_from("<f", raw, n * 6)[0]), struct.unpack_from(">H", raw, n * 6 + 4)[0])
      mm = json.loads(z.read("minimap.raw"))
      print("map", mm["data"]["length"], len(mm["data"]["min"]), mm["numberOfTimesToFold"], mm["maxNumberOfElements"])
      """, in: directory)
    let lines = printed.split(separator: "\n").map(String.init)
    let wall = CaptureSource(capture).wall(capture.clock.host(capture.clock.origin)) ?? 0
    #expect(lines.contains("meta 2 100000 \(wall / 1_000_000)"), "\(printed)")
    #expect(lines.contains("frames 50003 0"))
    for place in [0, 7] {
      let microamperes = Float(capture.samples(0).values[place] * 1e6)
      var bits: UInt16 = 0
      for input in 0..<8 {
        bits |= (capture.samples(input + 1).codes[place] == 0 ? 1 : 2) << UInt16(2 * input)
      }
      let line = lines.first { $0.hasPrefix("frame \(place) ") }?.split(separator: " ") ?? []
      #expect(line.count == 4)
      #expect(line.count == 4 && Double(line[2]).map { Float($0) } == microamperes)
      #expect(line.last == "\(bits)")
    }
    #expect(lines.contains("frame 25001 nan 0"))
    #expect(lines.contains("map 6251 6251 8 10000"), "\(printed)")
  }

  /// A meter gives the ends of each level alone: files have it at each place.
  @Test(arguments: [CaptureFormat.ppk2, .sigrok])
  func aLevelIsHeldBetweenItsEnds(format: CaptureFormat) throws {
    let logic = Channel(name: "D0", unit: "", kind: .logic)
    var capture = Sample.regular(count: 1000, rate: 100_000, channels: [Sample.channels[1]])
    let times = (0..<1000).map { capture.clock.origin + Int64($0) * 10_000 }
    capture.channels.append(logic)
    capture.blocks.append([])
    // High from 300 to 449; from 600 to 700 nothing is known.
    let places = [0, 299, 300, 449, 450, 600, 700, 999]
    capture.append(
      channel: 1, times: places.map { times[$0] }, codes: [0, 0, 1, 1, 0, 0, 0, 0])
    capture.events.append(CaptureEvent(.gap, channel: 1, from: times[600], to: times[700]))
    let read = try format.read(try capture.exported(as: format), name: "x")
    let index = try #require(read.channels.firstIndex { $0.kind == .logic })
    let found = read.samples(index)
    #expect(found.times.count == 1000 - 99, "\(found.times.count)")
    for (time, code) in zip(found.times, found.codes) {
      #expect(code == ((times[300]...times[449]).contains(time) ? 1 : 0))
      #expect(time <= times[600] || time >= times[700])
    }
  }

  @Test func readsItsOwnFilesBackToTheCode() throws {
    let original = Sample.regular(count: 3000, rate: 100_000, lost: 5, channels: channels)
    let read = try PPK2File.read(try original.exported(as: .ppk2), name: "x")
    #expect(read.damage == nil)
    #expect(read.channels == original.channels)
    for index in channels.indices {
      #expect(read.samples(index).codes == original.samples(index).codes)
      #expect(read.samples(index).times == original.samples(index).times)
    }
    #expect(Set(read.events) == Set(original.events))
  }

  @Test func readsAFileAsTheAppWritesIt() throws {
    // Two samples: 1.5 uA with input 0 high and 1 low, 2.25 uA with both high; others unknown.
    var session: [UInt8] = []
    session.append(littleEndian: 1.5 as Float)
    session += [0b0000_0000, 0b0000_0110]
    session.append(littleEndian: 2.25 as Float)
    session += [0b0000_0000, 0b0000_1010]
    let file = ExportFile()
    var zip = ZipWriter(file)
    try zip.add("session.raw", session)
    try zip.add(
      "metadata.json",
      Array(
        #"{"metadata":{"samplesPerSecond":1000,"startSystemTime":1764196865123},"formatVersion":2}"#
          .utf8))
    try zip.add("minimap.raw", Array("{}".utf8))
    try zip.finish()
    let capture = try PPK2File.read(file.bytes, name: "app")
    #expect(capture.damage == nil)
    #expect(capture.channels.map(\.name) == ["current", "D0", "D1"])
    #expect(capture.samples(0).times == [0, 1_000_000])
    #expect(zip2(capture.samples(0).values, [1.5e-6, 2.25e-6]).allSatisfy { abs($0 - $1) < 1e-20 })
    #expect(capture.samples(1).codes == [1, 1])
    #expect(capture.samples(2).codes == [0, 1])
    #expect(capture.reference?.wall == 1_764_196_865_123_000_000)
  }

  private func zip2(_ a: [Double], _ b: [Double]) -> [(Double, Double)] { Array(zip(a, b)) }

  @Test func refusesACaptureWithoutOneCurrent() {
    #expect {
      _ = try Sample.regular(count: 5, channels: [Sample.channels[0]]).exported(as: .ppk2)
    } throws: { ($0 as? CaptureFileFailure)?.code == .notRepresentable }
  }
}

struct PTDaemonLogTests {
  @Test func hasALineForEachWholeSecondThatMLPerfsCheckerReads() throws {
    var capture = Sample.regular(count: 5000, rate: 1000)
    capture.clock = .host
    let directory = TemporaryDirectory()
    writeBytes(directory("spl.txt"), try capture.exported(as: .ptdaemon))
    let lines = (readText(directory("spl.txt")) ?? "").split(separator: "\n")
    // 5 s from 1001.123 s on: four whole seconds.
    #expect(lines.count == 4)
    // As MLPerf's tools take a line apart.
    let printed = python(
      """
      from datetime import datetime
      for line in open("\(directory("spl.txt"))"):
        p = line.strip().split(",")
        assert p[0] == "Time" and p[2] == "Watts" and p[4] == "Volts" and p[6] == "Amps"
        assert p[8] == "PF" and p[10] == "Mark"
        t = datetime.strptime(p[1], "%m-%d-%Y %H:%M:%S.%f")
        print(t.isoformat(), float(p[3]), float(p[5]), float(p[7]))
      """, in: directory
    ).split(separator: "\n")
    #expect(printed.count == 4)
    // Wall 1764196866 is 2025-11-26T22:41:06Z: the second from there ends at :07.
    #expect(printed[0].hasPrefix("2025-11-26T22:41:08 "), "\(printed)")
    let values = capture.samples(2).values[877..<1877]
    let mean = values.reduce(0, +) / 1000
    #expect(abs((Double(printed[0].split(separator: " ")[1]) ?? 0) - mean) < 1e-6)
    #expect(lines.allSatisfy { $0.hasSuffix(",Mark,kelvin-not-ptdaemon") })
  }

  @Test func leavesOutSecondsWithGaps() throws {
    let file = ExportFile()
    let notes = try PTDaemonLog.write(
      CaptureSource(Sample.regular(count: 6000, lost: 100)), to: file)
    #expect(String(decoding: file.bytes, as: UTF8.self).split(separator: "\n").count == 4)
    #expect(notes.contains { $0.contains("SPEC") })
  }
}
