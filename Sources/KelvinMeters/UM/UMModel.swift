internal import KelvinModel

/// RuiDeng's USB testers with Bluetooth: what differs between them.
///
/// Source: sigrokproject/libsigrok, src/hardware/rdtech-um/protocol.{c,h}.
enum UMModel: UInt16, Sendable, CaseIterable {
  // The numbers with which their answers begin.
  case um24c = 0x0963
  case um25c = 0x09c9
  case um34c = 0x0d4c

  /// Reads a number with which an answer begins.
  init?(of answer: TesterBytes) { self.init(rawValue: answer.big16(0)) }

  var name: String {
    switch self {
    case .um24c: "UM24C"
    case .um25c: "UM25C"
    case .um34c: "UM34C"
    }
  }

  /// What a step of its voltage is, in volts, and of its current, in amperes.
  var steps: (voltage: Double, current: Double) {
    self == .um25c ? (1e-3, 1e-4) : (1e-2, 1e-3)
  }

  /// What tells of damage to an answer.
  var witness: String {
    self == .um34c ? "a checksum of 8 bits over 32 bytes" : "a mark at the end; no checksum"
  }

  /// Whether an answer ends as it should.
  ///
  /// Those of the UM24C and UM25C end with a mark; those of the UM34C with a checksum of some of its bytes.
  func isWhole(_ answer: TesterBytes) -> Bool {
    guard self == .um34c else { return answer.big16(UMLanguage.answer - 2) == 0xfff1 }
    let sum = Self.summed.reduce(UInt8(0)) { $0 ^ answer[$1] }
    return sum == answer[UMLanguage.answer - 1]
  }

  /// The places that the UM34C's checksum is of.
  private static let summed = [
    1, 3, 7, 9, 15, 17, 19, 23, 31, 39, 41, 45, 49, 53, 55, 57, 59, 63, 67, 69, 73, 79, 83, 89, 97,
    99, 109, 111, 113, 119, 121, 127
  ]
}
