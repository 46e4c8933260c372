/// What a POWER-Z's memory says of it; empty where it says nothing that could be read.
///
/// Layouts: okhsunrog/km003c-protocol-research, docs/features/authentication.md, "Memory Block Layouts".
package struct KM003CIdentity: Sendable, Hashable {
  package var model = ""
  package var hardware = ""
  package var firmware = ""
  package var serial = ""

  package init() {}

  /// Takes a piece of memory, in the clear.
  package mutating func take(_ place: KM003CMemory, _ bytes: [UInt8]) {
    guard bytes.count >= Int(place.size) else { return }
    switch place {
    case .device:
      model = Self.text(bytes[0x10..<0x1c])
      hardware = Self.text(bytes[0x1c..<0x28])
    case .firmware:
      // A device without firmware information has ones there.
      if bytes[..<4].contains(where: { $0 != 0xff }) { firmware = Self.text(bytes[0x1c..<0x28]) }
    case .calibration: serial = Self.text(bytes[..<7])
    case .hardware: break
    }
  }

  /// Printable characters up to a zero; nothing where there are others.
  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    let text = bytes.prefix { $0 != 0 }
    guard text.allSatisfy({ (0x20..<0x7f).contains($0) }) else { return "" }
    var characters = String(decoding: text, as: UTF8.self)[...]
    while characters.hasSuffix(" ") { characters.removeLast() }
    return String(characters)
  }
}
