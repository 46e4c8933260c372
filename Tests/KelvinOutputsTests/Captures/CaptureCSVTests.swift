import KelvinModel
import Testing

@testable import KelvinOutputs

struct CaptureCSVTests {
  private func text(_ capture: ImportedCapture) throws -> String {
    String(decoding: try capture.exported(as: .csv), as: UTF8.self)
  }

  @Test func writesNamesWithUnitsGapRowsAndFullPrecision() throws {
    var capture = Sample.regular(count: 4, lost: 3, channels: Array(Sample.channels.prefix(2)))
    capture.clock = .host
    let lines = try text(capture).split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("# {\"channels\":"))
    #expect(lines[1] == "time [s],vdd.voltage [V],vdd.current [A]")
    #expect(lines[2].hasPrefix("0.000000000,"))
    // Two gaps, one a channel, halfway between 1 ms and 5 ms.
    #expect(lines[4] == "0.003000000,nan,")
    #expect(lines[5] == "0.003000000,,nan")
    #expect(lines[6].hasPrefix("0.005000000,"))
    #expect(lines.last == "# end: 6 rows")
    let value = Double(lines[2].split(separator: ",")[2])
    #expect(value == capture.channels[1].value(of: capture.blocks[1][0].codes[0]))
  }

  @Test func keepsARowForEachTimeAtWhichAnyChannelWasSampled() throws {
    let capture = Sample.irregular(count: 50)
    let times = Set((0..<3).flatMap { capture.samples($0).times })
    let lines = try text(capture).split(separator: "\n")
    #expect(lines.count == times.count + 3)
  }

  @Test func readsItsOwnFilesBackToTheCode() throws {
    for original in [Sample.regular(count: 500, lost: 7), Sample.irregular(count: 300)] {
      let read = try CaptureCSV.read(try original.exported(as: .csv), name: "x")
      #expect(read.damage == nil)
      #expect(read.name == original.name)
      #expect(read.meter == original.meter)
      #expect(read.channels == original.channels)
      #expect(read.reference == original.reference)
      #expect(read.events.map(\.count) == original.events.map(\.count))
      for index in original.channels.indices {
        #expect(read.samples(index).codes == original.samples(index).codes)
        #expect(
          read.samples(index).times == original.samples(index).times.map(original.clock.host))
      }
    }
  }

  private static let python = JudgingPython(module: "numpy")

  @Test(.enabled(if: python != nil, "needs numpy, apt install python3-numpy"))
  func givesTheSameJoulesInTenLinesOfNumpy() throws {
    let python = try #require(Self.python)
    let directory = TemporaryDirectory()
    for capture in [Sample.regular(count: 5000, lost: 40), Sample.irregular(count: 3000)] {
      writeBytes(directory("capture.csv"), try capture.exported(as: .csv))
      let printed = python.run(
        """
        import numpy as np
        table = np.genfromtxt("capture.csv", delimiter=",", skip_header=2)
        text = np.genfromtxt("capture.csv", delimiter=",", skip_header=2, dtype=str)
        time, power = table[:, 0], table[:, 3]
        rows = text[:, 3] != ""          # sampled then, or a gap
        time, power = time[rows], power[rows]
        span = np.diff(time) * (power[1:] + power[:-1]) / 2
        print(repr(float(np.nansum(span))))   # no span with a gap's nan at either end
        """, in: directory)
      let energy = try #require(
        Double(printed.split(separator: "\n").last.map(String.init) ?? ""), "\(printed)")
      let expected = Sample.joules(capture, channel: 2)
      #expect(abs(energy - expected) <= 1e-9 * expected)
    }
  }

  @Test func readsOthersTablesWithTheirUnits() throws {
    let text = "Timestamp(ms),Current(uA),D0\r\n0,1.5,0\r\n0.01,nan,1\r\n0.02,2.5,1\r\n"
    let capture = try CaptureCSV.read(Array(text.utf8), name: "other")
    #expect(capture.channels.map(\.name) == ["Current", "D0"])
    #expect(capture.channels[0].unit == "A")
    #expect(capture.channels[0].kind == .current)
    #expect(capture.samples(0).times == [0, 20_000])
    for (value, expected) in zip(capture.samples(0).values, [1.5e-6, 2.5e-6]) {
      #expect(abs(value - expected) < 1e-20)
    }
    #expect(capture.events == [CaptureEvent(.gap, channel: 0, from: 0, to: 20_000)])
    #expect(capture.samples(1).values == [0, 1, 1])
  }

  @Test(
    arguments: [
      ("", CaptureFileFailure.Code.notThisFormat), ("hello\n", .notThisFormat),
      ("a,b\n", .notThisFormat), ("a,b\n1,x\n", .corrupt), ("a,b\nx,1\n", .corrupt),
      ("a,b\n1e300,1\n", .corrupt)
    ])
  func refusesWhatIsNoTable(text: String, code: CaptureFileFailure.Code) {
    #expect {
      try CaptureCSV.read(Array(text.utf8), name: "x")
    } throws: { ($0 as? CaptureFileFailure)?.code == code }
  }

  @Test func keepsTheRowsBeforeABadOneAndNamesItsLine() throws {
    let text = "time,p [W]\n1,5\n2,6\n1.5,7\n3,8\n"
    let capture = try CaptureCSV.read(Array(text.utf8), name: "x")
    #expect(capture.samples(0).values == [5, 6])
    #expect(capture.damage?.message == "line 4: the time goes back")
  }

  @Test func survivesTruncationAndCorruptionAtEachByte() throws {
    let whole = Sample.regular(count: 12, lost: 2)
    let bytes = try whole.exported(as: .csv)
    let all = whole.count
    for length in 0..<bytes.count {
      guard let read = try? CaptureCSV.read(Array(bytes[..<length]), name: "x") else { continue }
      #expect(read.damage != nil, "cut to \(length)")
      #expect(read.count <= all)
    }
    for position in bytes.indices {
      var broken = bytes
      broken[position] ^= 0x41
      _ = try? CaptureCSV.read(broken, name: "x")
    }
  }
}
