import KelvinModel
import Testing

@testable import KelvinOutputs

/// What every reader must stand: files cut and changed at each byte.
struct CaptureRobustnessTests {
  private static let formats: [CaptureFormat] = [.jls, .ppk2, .sigrok]

  private func capture() -> ImportedCapture {
    Sample.regular(
      count: 12, lost: 2,
      channels: [Sample.channels[1], Channel(name: "D0", unit: "", kind: .logic)])
  }

  @Test(arguments: formats)
  func saysSoWhenAFileIsCutAtAnyByte(format: CaptureFormat) throws {
    let whole = capture()
    let bytes = try whole.exported(as: format)
    #expect(try format.read(bytes, name: "x").damage == nil)
    var kept = 0
    for length in 0..<bytes.count {
      do {
        let read = try format.read(Array(bytes[..<length]), name: "x")
        #expect(read.damage != nil, "cut to \(length)")
        kept = max(kept, read.count)
        #expect(read.count <= whole.count)
        for index in read.channels.indices {
          let values = read.samples(index).values
          for (value, original) in zip(values, whole.samples(index).values) {
            #expect(abs(value - original) <= original.magnitude * 1e-6, "cut to \(length)")
          }
        }
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
    #expect(kept > 0)
  }

  @Test(arguments: formats)
  func noticesOrSurvivesAChangeOfAnyByte(format: CaptureFormat) throws {
    let whole = capture()
    let bytes = try whole.exported(as: format)
    for position in bytes.indices {
      for change in [0x01, 0xF0] as [UInt8] {
        var broken = bytes
        broken[position] ^= change
        guard let read = try? format.read(broken, name: "x") else { continue }
        // Whatever is not reported is right.
        if read.damage == nil, format != .jls {
          for index in 0..<min(2, read.channels.count) where read.count == whole.count {
            #expect(read.samples(index).codes.count == whole.samples(index).codes.count)
          }
        }
        // Walking it again must not trap, whatever it says.
        let file = ExportFile()
        try? CaptureCSV.write(CaptureSource(read), to: file)
      }
    }
  }

  @Test func knowsFormatsByTheNamesOfFiles() {
    #expect(CaptureFormat(path: "a/b.csv") == .csv)
    #expect(CaptureFormat(path: "x.perfetto-trace") == .perfetto)
    #expect(CaptureFormat(path: "x.ppk2") == .ppk2)
    #expect(CaptureFormat(path: "x.spl.txt") == .ptdaemon)
    #expect(CaptureFormat(path: "x.pdf") == nil)
  }

  @Test func turnsFloatsIntoCodesWithoutLoss() {
    let values = [1.5, -0.1, 1e-3, 3.14159, 0]
    let codes = ValueCodes(fitting: values)
    #expect(codes.isExact)
    #expect(values.allSatisfy(codes.holds))
    // 1e-9 has bits down to 2^-82, 83 below those of 1.5.
    let close = ValueCodes(fitting: [1.5, 1e-9])
    #expect(!close.isExact)
    #expect(close.holds(1.5))
    #expect(close.code(1e-9).map { abs(Double($0) * close.scale - 1e-9) < 0x1p-60 } == true)
    let wide = ValueCodes(fitting: [1e-30, 1e30])
    #expect(!wide.isExact)
    #expect(wide.code(1e30).map { Double($0) * wide.scale } == 1e30)
    #expect(ValueCodes(fitting: [.nan, .infinity]).isExact)
    #expect(codes.code(.nan) == nil)
  }
}
