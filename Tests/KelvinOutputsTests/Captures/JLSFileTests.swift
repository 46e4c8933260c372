import KelvinModel
import Testing

@testable import KelvinOutputs

struct JLSFileTests {
  private static let python = JudgingPython(module: "pyjls")

  @Test(
    .enabled(if: python != nil, "needs pyjls, scripts/capture-tools"),
    arguments: [1, 127, 8192, 8193, 100_000])
  func isOpenedByPyjls(count: Int) throws {
    let python = try #require(Self.python)
    let directory = TemporaryDirectory()
    var capture = Sample.regular(
      count: count, rate: 1000, lost: count > 1000 ? 300 : 0, channels: [Sample.channels[1]])
    capture.events.append(
      CaptureEvent(
        .mark, channel: 0, from: capture.clock.origin, to: capture.clock.origin, note: "phase 1"))
    let file = try ExportFile(path: directory("capture.jls"))
    _ = try JLSFile.write(CaptureSource(capture), to: file)
    try file.commit()
    let printed = python.run(
      """
      import numpy as np
      from pyjls import Reader
      with Reader("capture.jls") as r:
        source = r.sources[1]
        print("source", source.name, source.model, source.serial_number)
        s = r.signals[1]
        print("signal", s.name, s.units, s.sample_rate, s.length)
        x = r.fsr(1, 0, s.length)
        print("dtype", x.dtype, int(np.isnan(x).sum()))
        print("sum", repr(float(np.nansum(x))), repr(float(np.nanmin(x))), repr(float(np.nanmax(x))))
        z = r.fsr_statistics(1, 0, s.length, 1)
        print("zoom", repr(float(z[0, 2])), repr(float(z[0, 3])))
        if s.length >= 1000:
          z = r.fsr_statistics(1, 0, s.length // 50, 50)
          step = s.length // 50
          for k in range(50):
            part = x[k * step:(k + 1) * step]
            if np.isnan(part).all(): continue
            assert z[k, 2] == np.nanmin(part) and z[k, 3] == np.nanmax(part), (k, z[k])
          print("zoomed")
        print("first", r.sample_id_to_timestamp(1, 0), r.sample_id_to_timestamp(1, s.length - 1))
        notes = []
        r.annotations(1, -1000, lambda t, y, kind, group, data: notes.append((t, int(kind), data)) or False)
        print("notes", notes)
        data = []
        r.user_data(lambda meta, d: data.append(d) and False)
        print("user", type(data[0]).__name__, str(data)[:60])
      """, in: directory)
    let lines = printed.split(separator: "\n").map(String.init)
    let lost = count > 1000 ? 300 : 0
    #expect(lines.contains("source bench ina226 ina226 7"), "\(printed)")
    // One sample alone has no distance from another.
    let rate = count == 1 ? 1 : 1000
    #expect(lines.contains("signal vdd.current A \(rate) \(count + lost)"), "\(printed)")
    #expect(lines.contains("dtype float64 \(lost)"), "\(printed)")
    let values = capture.samples(0).values
    let minimum = try #require(values.min())
    let maximum = try #require(values.max())
    #expect(
      lines.contains { $0.hasPrefix("sum ") && $0.hasSuffix(" \(minimum) \(maximum)") }
        || lines.contains { line in
          let words = line.split(separator: " ")
          return words.first == "sum" && Double(words[2]) == minimum && Double(words[3]) == maximum
        }, "\(printed)")
    if count >= 1000 { #expect(lines.contains("zoomed"), "\(printed)") }
    let notes = lines.first { $0.hasPrefix("notes ") } ?? ""
    #expect(notes.contains("phase 1"), "\(printed)")
    // JLS time of the first sample, in 2^-30 s since 2018.
    let wall = try #require(
      CaptureSource(capture).wall(capture.clock.host(capture.clock.origin)))
    #expect(lines.contains { $0.hasPrefix("first \(JLSFile.time(wall))") }, "\(printed)")
  }

  @Test(.enabled(if: python != nil, "needs pyjls, scripts/capture-tools"))
  func keepsTheTimesOfSamplesThatHaveNoRateForPyjls() throws {
    let python = try #require(Self.python)
    let directory = TemporaryDirectory()
    let capture = Sample.irregular(count: 400)
    writeBytes(directory("capture.jls"), try capture.exported(as: .jls))
    let printed = python.run(
      """
      from pyjls import Reader
      with Reader("capture.jls") as r:
        for k in range(0, 400, 7):
          print(k, r.sample_id_to_timestamp(2, k))
      """, in: directory)
    let times = capture.samples(1).times
    let source = CaptureSource(capture)
    var compared = 0
    for line in printed.split(separator: "\n") {
      let words = line.split(separator: " ").compactMap { Int64($0) }
      guard words.count == 2 else { continue }
      let wall = try #require(source.wall(times[Int(words[0])]))
      let found = try #require(JLSFile.wall(words[1]))
      #expect(abs(found - wall) <= 1000)
      compared += 1
    }
    #expect(compared == 58, "\(printed)")
  }

  @Test(.enabled(if: python != nil, "needs pyjls, scripts/capture-tools"))
  func readsWhatPyjlsWrites() throws {
    let python = try #require(Self.python)
    let directory = TemporaryDirectory()
    let printed = python.run(
      """
      import numpy as np
      from pyjls import Writer, DataType
      with Writer("other.jls") as w:
        w.source_def(source_id=1, name="js220", vendor="jetperch", model="JS220", version="1", serial_number="42")
        w.signal_def(signal_id=1, source_id=1, data_type=DataType.F32, sample_rate=1000, name="current", units="A")
        w.signal_def(signal_id=2, source_id=1, data_type=DataType.U1, sample_rate=1000, name="gpi", units="")
        w.signal_def(signal_id=3, source_id=1, data_type=DataType.I16, sample_rate=1000, name="i", units="")
        x = (np.arange(20000) % 1000 / 8).astype(np.float32)
        x[5000:5003] = np.nan
        w.fsr(1, 100, x)
        bits = np.packbits(np.arange(20000) // 5 % 2 == 1, bitorder="little")
        w.fsr(2, 100, np.frombuffer(bits, dtype=np.uint8))
        w.fsr(3, 100, (np.arange(20000) - 10000).astype(np.int16))
        w.utc(1, 100, 7 << 30)
        w.annotation(1, 150, 0, 1, 0, "hello")
      print("done")
      """, in: directory)
    #expect(printed.contains("done"), "\(printed)")
    let capture = try JLSFile.read(readBytes(directory("other.jls")), name: "x")
    #expect(capture.damage == nil)
    #expect(capture.channels.map(\.name) == ["current", "gpi", "i"])
    #expect(capture.meter?.serial == "42")
    let (times, values, _) = capture.samples(0)
    #expect(values.count == 19_997)
    #expect(values[4999] == Double(4999 % 1000) / 8)
    #expect(values[5000] == Double(5003 % 1000) / 8)
    #expect(times[1] - times[0] == 1_000_000)
    #expect(times[0] == (JLSFile.epoch + 7) * Sample.second)
    let gap = try #require(capture.events.first { $0.kind == .gap })
    #expect(gap.count == 3)
    #expect(capture.events.contains { $0.kind == .mark && $0.note == "hello" })
    #expect(capture.samples(2).values.first == -10_000)
    #expect(capture.samples(2).values.last == 9_999)
    #expect(capture.samples(1).codes.prefix(11) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
  }

  @Test func readsItsOwnFilesBackToTheCode() throws {
    for (original, tolerance) in [
      (Sample.regular(count: 20_000, lost: 50), 0 as Int64), (Sample.irregular(count: 500), 1000)
    ] {
      let read = try JLSFile.read(try original.exported(as: .jls), name: "x")
      #expect(read.damage == nil)
      #expect(read.channels == original.channels)
      #expect(read.meter == original.meter)
      #expect(Set(read.events) == Set(original.events))
      for index in original.channels.indices {
        #expect(read.samples(index).codes == original.samples(index).codes)
        let times = zip(read.samples(index).times, original.samples(index).times)
        #expect(times.allSatisfy { abs($0 - $1) <= tolerance })
      }
    }
  }

  @Test func keepsWhatAWriterThatDiedHadWritten() throws {
    let bytes = try Sample.regular(count: 30_000, channels: [Sample.channels[0]])
      .exported(as: .jls)
    let read = try JLSFile.read(Array(bytes.prefix(bytes.count / 2)), name: "x")
    #expect(read.damage?.code == .truncated)
    #expect(read.count == 8192)
  }

  @Test func knowsTheChecksumOfRFC3720() {
    // RFC 3720, B.4: 32 bytes of zeros, of ones, and ascending.
    #expect(CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.of([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.of(Array(0..<32)) == 0x46DD_794E)
    #expect(CRC32C.of(Array("123456789".utf8)) == 0xE306_9283)
  }
}
