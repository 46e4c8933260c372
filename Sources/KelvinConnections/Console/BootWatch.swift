/// Notices in what a console says that the board starts anew. Pure.
///
/// While a boot loader counts down, any key stops it, so that nothing may be sent from here on.
package struct BootWatch {
  /// Whether a boot loader or a kernel has begun.
  package private(set) var hasBegun = false
  private var line: [UInt8] = []

  /// Creates a watch that has seen nothing.
  package init() {}

  private static let beginnings = ["U-Boot SPL ", "U-Boot 20", "[    0.000000] Linux version "].map
  {
    Array($0.utf8)
  }
  private static let countdown = Array("any key to stop autoboot".utf8)

  /// Takes what the console said.
  package mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes where !hasBegun {
      if byte == 10 || byte == 13 {
        line.removeAll(keepingCapacity: true)
        continue
      }
      // The signs stand at a line's beginning; the rest of long lines says nothing.
      guard line.count < 128 else { continue }
      line.append(byte)
      hasBegun =
        BootWatch.beginnings.contains(line)
        || (byte == UInt8(ascii: "t") && line.count <= 64
          && line.suffix(BootWatch.countdown.count).elementsEqual(BootWatch.countdown))
    }
  }
}
