internal import KelvinModel

/// Counts in what a console says how often each thing that a boot does once was begun: the boot loader,
/// its first stage, the kernel; and its panic, since a kernel with `quiet` says nothing else. Pure; holds a line
/// of text at most.
struct BootCount: Sendable {
  /// By the first bytes of the line that tells (`U-Boot SPL`, `U-Boot 202`, `Linux vers`, `Kernel pan`), in the order in
  /// which they were first seen.
  private var counts: [(key: [UInt8], line: String, count: Int)] = []
  private var line: [UInt8] = []

  private static let lineLimit = 1024
  /// Bytes that tell the lines apart.
  private static let keyLength = 10

  /// What was begun most often, the first of several, and how often.
  var most: (line: String, count: Int)? {
    let highest = counts.map(\.count).max()
    return counts.first { $0.count == highest }.map { ($0.line, $0.count) }
  }

  /// Takes the next piece.
  mutating func take(_ bytes: [UInt8]) {
    for byte in bytes {
      if byte == 10 || byte == 13 {
        endLine()
      } else if line.count < BootCount.lineLimit {
        line.append(byte)
      }
    }
  }

  private mutating func endLine() {
    defer { line.removeAll(keepingCapacity: true) }
    guard line.count >= BootCount.keyLength else { return }
    for message in KernelLine(line).messages {
      guard let phrase = KernelPhrase(message),
        phrase.kind.isStart || phrase.isPanic
      else { continue }
      let key = Array(message.text.prefix(BootCount.keyLength))
      if let index = counts.firstIndex(where: { $0.key == key }) {
        counts[index].count += 1
      } else {
        counts.append((key, KernelText.string(message.text.prefix(80)), 1))
      }
      return
    }
  }
}
