internal import KelvinModel

/// The words of the sync service (AOSP SYNC.TXT, file_sync_protocol.h): four letters and a number, all
/// numbers little endian.
enum ADBSyncID {
  static let stat = word("STAT")
  /// Status without following links, 64 bits.
  static let linkStat2 = word("LST2")
  /// Status of what links lead to.
  static let stat2 = word("STA2")
  static let list = word("LIST")
  static let list2 = word("LIS2")
  static let entry = word("DENT")
  static let entry2 = word("DNT2")
  static let send = word("SEND")
  static let send2 = word("SND2")
  static let receive = word("RECV")
  static let receive2 = word("RCV2")
  static let data = word("DATA")
  static let done = word("DONE")
  static let okay = word("OKAY")
  static let fail = word("FAIL")
  static let quit = word("QUIT")

  /// Paths beyond this are refused by adbd.
  static let pathLimit = 1024
  /// Data of one packet; adbd refuses more.
  static let dataLimit = 65_536

  private static func word(_ name: StaticString) -> UInt32 {
    name.withUTF8Buffer { $0.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
  }

  /// An id for a message.
  static func text(_ id: UInt32) -> String {
    ADBText.shown((0..<4).map { UInt8(truncatingIfNeeded: id >> ($0 * 8)) })
  }
}

extension [UInt8] {
  /// Appends a number of 32 bits, little endian.
  mutating func appendADB(_ value: UInt32) {
    append(UInt8(truncatingIfNeeded: value))
    append(UInt8(truncatingIfNeeded: value >> 8))
    append(UInt8(truncatingIfNeeded: value >> 16))
    append(UInt8(truncatingIfNeeded: value >> 24))
  }

  /// Appends a request about a path.
  mutating func appendADB(_ id: UInt32, path: [UInt8]) {
    appendADB(id)
    appendADB(UInt32(path.count))
    append(contentsOf: path)
  }

  /// The number of 32 bits at an offset.
  func adb32(at offset: Int) -> UInt32 {
    UInt32(self[offset]) | UInt32(self[offset + 1]) << 8 | UInt32(self[offset + 2]) << 16
      | UInt32(self[offset + 3]) << 24
  }

  /// The number of 64 bits at an offset.
  func adb64(at offset: Int) -> UInt64 {
    UInt64(adb32(at: offset)) | UInt64(adb32(at: offset + 4)) << 32
  }
}

/// What the sync service says of a file.
package struct ADBFileStatus: Hashable, Sendable {
  /// Type and permissions, as stat(2) has them.
  package var mode: UInt32
  /// Modulo 2^32 where ``isShort``.
  package var size: UInt64
  /// Seconds since 1970.
  package var modified: Int64
  /// Whether it is version 1's, whose size has 32 bits only.
  package var isShort: Bool

  package var isFile: Bool { mode & 0o170000 == 0o100000 }
  package var isDirectory: Bool { mode & 0o170000 == 0o040000 }
  package var isLink: Bool { mode & 0o170000 == 0o120000 }

  /// Whether a file of `size` bytes would look like this.
  func hasSize(_ size: UInt64) -> Bool {
    isShort ? UInt64(UInt32(truncatingIfNeeded: size)) == self.size : size == self.size
  }

  /// Reads the twelve bytes of version 1; all zero stands for a file that cannot be reached.
  init?(short bytes: [UInt8]) {
    mode = bytes.adb32(at: 0)
    size = UInt64(bytes.adb32(at: 4))
    modified = Int64(bytes.adb32(at: 8))
    isShort = true
    if mode == 0 { return nil }
  }

  /// Reads the 68 bytes of version 2: error, device, inode, mode, links, user, group, size, times.
  init(long bytes: [UInt8]) throws(Errno) {
    let error = bytes.adb32(at: 0)
    guard error == 0 else { throw Errno(Int32(truncatingIfNeeded: error)) }
    mode = bytes.adb32(at: 20)
    size = bytes.adb64(at: 36)
    modified = Int64(bitPattern: bytes.adb64(at: 52))
    isShort = false
  }
  static let longSize = 68
}

/// An entry of a device's directory.
package struct ADBFileEntry: Hashable, Sendable {
  package var name: String
  package var status: ADBFileStatus

  /// Whether a device may call a file so: a name that leads elsewhere is an attack or damage.
  static func isName(_ bytes: [UInt8]) -> Bool {
    !bytes.isEmpty && bytes.count <= 255 && !bytes.contains(0x2F) && !bytes.contains(0)
      && bytes != [0x2E] && bytes != [0x2E, 0x2E]
  }
}
