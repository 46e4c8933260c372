internal import KelvinModel

/// What a UM24C, UM25C or UM34C answers: 130 bytes, of numbers whose highest byte comes first.
///
/// Source: sigrokproject/libsigrok, src/hardware/rdtech-um/protocol.c; rfinnie/rdserialtool, rdserial/um/__init__.py,
/// has the same places. Its own power and counters of charge and energy are not read.
struct UMLanguage: TesterLanguage {
  /// Nil: whichever it is.
  let model: UMModel?

  let title: String
  let question: [UInt8]? = [0xf0]
  /// Of an answer, in bytes.
  static let answer = 130
  let size = UMLanguage.answer
  var witness: String { model?.witness ?? "a mark at the end" }

  init(_ model: UMModel? = nil) {
    self.model = model
    title = "a \(model?.name ?? "UM24C, UM25C or UM34C")"
  }

  var channels: [Channel] {
    let steps = (model ?? .um24c).steps
    return [
      Channel.tester("voltage", .voltage, "V", steps.voltage),
      Channel.tester("current", .current, "A", steps.current),
      Channel.tester("data-plus", .voltage, "V", 1e-2),
      Channel.tester("data-minus", .voltage, "V", 1e-2),
      Channel.tester("temperature", .temperature, "degC", 1)
    ]
  }

  func read(_ frame: ArraySlice<UInt8>) throws(TesterFault) -> TesterReading {
    guard frame.count == size else {
      throw TesterFault("\(frame.count) bytes of \(size) came")
    }
    let bytes = TesterBytes(frame)
    guard let found = UMModel(of: bytes) else {
      throw TesterFault("its model's number is \(bytes.big16(0)), which is none of these")
    }
    guard model == nil || model == found else {
      throw TesterFault("it is a \(found.name) now, and was a \(model?.name ?? "")")
    }
    guard found.isWhole(bytes) else {
      throw TesterFault(
        found == .um34c ? "its checksum is wrong" : "the mark at its end is missing")
    }
    return TesterReading(
      codes: [2, 4, 96, 98, 10].map { Int64(bytes.big16($0)) }, model: found.name)
  }
}
