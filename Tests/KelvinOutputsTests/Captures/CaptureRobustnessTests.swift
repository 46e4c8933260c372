import KelvinModel
import Testing

@testable import KelvinOutputs

/// What every reader must stand: files cut and changed at each byte.
struct CaptureRobustnessTests {
  private static let formats: [CaptureFormat] = [.jls, .ppk2, .sigrok]

  private func capture() -> ImportedCapture {
    Sample.regular(
      count: 40, lost: 2,
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
          let codes = read.samples(index).codes
          #expect(codes.elementsEqual(whole.samples(index).codes.prefix(codes.count)))
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
      for change in [0x01, 0x80, 0xFF] as [UInt8] {
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
    let values = [1.5, -0.1, 1e-9, 3.14159, 0]
    let codes = ValueCodes(fitting: values)
    #expect(codes.isExact)
    #expect(values.allSatisfy(codes.holds))
    let wide = ValueCodes(fitting: [1e-30, 1e30])
    #expect(!wide.isExact)
    #expect(wide.code(1e30).map { Double($0) * wide.scale } == 1e30)
    #expect(ValueCodes(fitting: [.nan, .infinity]).isExact)
    #expect(codes.code(.nan) == nil)
  }
}
