internal import KelvinModel

/// What a YZXStudio tester sends by itself: 28 bytes, of numbers whose lowest byte comes first.
///
/// Source: CursedHardware/yzx-usb-meter, reader.py: the beginning, places and steps. The checksum, the sum of all bytes
/// before it, is that of fqueze/usb-power-profiling, usb-power-profiling.js (YzxStudioDevice). Its counters of charge,
/// energy and time are not read; that of time stands still while nothing is drawn (the same), and so tells of no loss.
struct YZXLanguage: TesterLanguage {
  let title = "a YZXStudio tester"
  let question: [UInt8]? = nil
  let size = 28
  let witness = "a checksum of 8 bits; nothing tells of readings that never came"

  let channels = [
    Channel.tester("voltage", .voltage, "V", 1e-4),
    Channel.tester("current", .current, "A", 1e-4),
    Channel.tester("data-plus", .voltage, "V", 1e-3),
    Channel.tester("data-minus", .voltage, "V", 1e-3)
  ]

  private static let beginning: [UInt8] = [0xab, 0x00, 0x06]

  func mayBegin(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.prefix(3).elementsEqual(Self.beginning.prefix(bytes.count))
  }

  func read(_ frame: ArraySlice<UInt8>) throws(TesterFault) -> TesterReading {
    guard frame.count == size else {
      throw TesterFault("\(frame.count) bytes of \(size) came")
    }
    guard mayBegin(frame) else { throw TesterFault("it does not begin with ab 00 06") }
    let bytes = TesterBytes(frame)
    guard frame.dropLast().reduce(0, &+) == bytes[size - 1] else {
      throw TesterFault("its checksum is wrong")
    }
    return TesterReading(
      codes: [
        Int64(Int32(bitPattern: bytes.little32(3))), Int64(Int32(bitPattern: bytes.little32(7))),
        Int64(bytes.little16(25)), Int64(bytes.little16(23))
      ], model: "YZXStudio tester")
  }
}
