import Foundation
import KelvinModel

/// Kernels' images of a few kilobytes, by the formats' documents, with nothing behind their headers.
enum ImageBytes {
  static let id = (1...20).map { UInt8($0) }
  static let hex = "0102030405060708090a0b0c0d0e0f1011121314"

  /// A note: sizes, kind, owner and content, padded to 4 bytes.
  static func note(_ owner: String, _ kind: UInt32, _ content: [UInt8]) -> [UInt8] {
    let name = Array(owner.utf8) + [0]
    func padded(_ bytes: [UInt8]) -> [UInt8] {
      bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }
    return word(UInt32(name.count)) + word(UInt32(content.count)) + word(kind) + padded(name)
      + padded(content)
  }

  static func word(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  static func bzImage(_ version: String, is64Bit: Bool = true) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 8192)
    bytes[0x1F1] = 4
    bytes.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
    // kernel_version counts from 0x200.
    bytes.replaceSubrange(0x20E..<0x210, with: [0x00, 0x04])
    bytes[0x236] = is64Bit ? 1 : 0
    bytes.replaceSubrange(0x600..<(0x600 + version.utf8.count), with: Array(version.utf8))
    return bytes
  }

  /// An arm64 (or riscv) Image, with its own note and the one of its vDSO before it.
  static func image(_ mark: String = "ARM\u{64}", notes: [[UInt8]]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    bytes.replaceSubrange(16..<20, with: word(1 << 20))
    bytes.replaceSubrange(56..<60, with: Array(mark.utf8))
    for note in notes { bytes += note }
    return bytes
  }

  /// A 64-bit little-endian ELF with one segment of notes.
  static func elf(machine: UInt8, notes: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64 + 56)
    bytes.replaceSubrange(0..<6, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
    bytes[18] = machine
    bytes[32] = 64
    bytes[54] = 56
    bytes[56] = 1
    bytes[64] = 4
    bytes[64 + 8] = UInt8(bytes.count)
    bytes.replaceSubrange((64 + 32)..<(64 + 36), with: word(UInt32(notes.count)))
    return bytes + notes
  }

  static let deviceTree: [UInt8] = [0xD0, 0x0D, 0xFE, 0xED, 0, 0, 0, 40]
}

extension Directory {
  /// Writes bytes to a file, and gives its path.
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }
}
