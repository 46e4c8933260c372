/// Reads what an Energy Probe answers, byte by byte as it comes.
///
/// Source: ARM-software/caiman, caiman/EnergyProbe.cpp (readAck, readAll, readString).
enum EnergyProbeAnswer: Sendable, Hashable {
  /// More must come.
  case incomplete
  /// All of it: what follows the acknowledgment.
  case whole([UInt8])
  /// It is no such answer.
  case wrong

  /// What follows the acknowledgment.
  enum Content: Sendable, Hashable {
    case nothing
    case number
    /// Ends with a zero, at most ``EnergyProbeAnswer/longest`` bytes before that.
    case text
  }

  /// Of a text; caiman reads 78.
  static let longest = 255

  /// Reads an answer.
  ///
  /// - Parameter bytes: all that has come since the command was sent.
  init(_ bytes: [UInt8], _ content: Content) {
    guard let start = bytes.firstIndex(where: { $0 != 0 }) else {
      self = bytes.count > Self.longest ? .wrong : .incomplete
      return
    }
    guard bytes[start] == EnergyProbeCommand.acknowledgment else {
      self = .wrong
      return
    }
    let rest = bytes[(start + 1)...]
    switch content {
    case .nothing: self = rest.isEmpty ? .whole([]) : .wrong
    case .number:
      self = rest.count < 4 ? .incomplete : rest.count == 4 ? .whole(Array(rest)) : .wrong
    case .text:
      if let end = rest.firstIndex(of: 0) {
        self = end == rest.endIndex - 1 ? .whole(Array(rest.dropLast())) : .wrong
      } else {
        self = rest.count > Self.longest ? .wrong : .incomplete
      }
    }
  }

  /// Four bytes, the lowest first.
  static func number(_ bytes: [UInt8]) -> UInt32 {
    bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Whether what came ends with the answer to ``EnergyProbeCommand/sync``, behind which zeros may stand.
  static func isSynced(_ bytes: [UInt8]) -> Bool {
    let end = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
    return bytes[..<end].suffix(EnergyProbeCommand.synced.count)
      .elementsEqual(EnergyProbeCommand.synced)
  }
}
