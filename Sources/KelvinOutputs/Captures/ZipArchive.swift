/// A zip archive in memory: names and places of its members by its directory, or, where that was cut
/// off, by what stands before each member.
struct ZipArchive {
  struct Member {
    var name: String
    var method: UInt16
    var crc: UInt32
    var size: Int
    /// Cut off at the archive's end.
    var data: ArraySlice<UInt8>
  }

  /// The members that were found, in the order of the directory.
  private(set) var members: [Member] = []
  /// Why there is no directory; nil when there is one.
  private(set) var damage: CaptureFileFailure?
  /// What all members together may still expand to.
  private var allowance: Int

  /// Finds the members.
  ///
  /// - Parameter limit: bytes that all members together may expand to.
  /// - Throws: ``CaptureFileFailure`` when the bytes are no zip at all.
  init(_ bytes: [UInt8], limit: Int) throws(CaptureFileFailure) {
    allowance = limit
    guard bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) else {
      throw CaptureFileFailure(.notThisFormat, "not a zip archive")
    }
    if let members = Self.directory(bytes) {
      self.members = members
    } else {
      members = Self.scan(bytes)
      damage = CaptureFileFailure(.truncated, "the archive ends early: its directory is missing")
    }
  }

  /// What a member holds, and why that is not all of it; nil when there is no such member.
  mutating func content(_ name: String) -> (bytes: [UInt8], damage: CaptureFileFailure?)? {
    guard let member = members.first(where: { $0.name == name }) else { return nil }
    func failure(_ code: CaptureFileFailure.Code, _ problem: String) -> CaptureFileFailure {
      CaptureFileFailure(code, "member \(name.oneLine.cut(60)): \(problem)")
    }
    var bytes: [UInt8] = []
    var damage: CaptureFileFailure?
    switch member.method {
    case 0:
      guard member.data.count <= allowance else { return ([], failure(.tooLarge, "too large")) }
      bytes = Array(member.data)
      if bytes.count < member.size { damage = failure(.truncated, "it ends early") }
    case 8:
      switch Inflated(member.data, limit: allowance) {
      case .whole(let whole): bytes = whole
      case .truncated(let part): (bytes, damage) = (part, failure(.truncated, "it ends early"))
      case .corrupt(let part): (bytes, damage) = (part, failure(.corrupt, "it is damaged"))
      case .tooLarge: return ([], failure(.tooLarge, "it expands to more than Kelvin takes"))
      }
    default: return ([], failure(.unsupported, "compressed by method \(member.method)"))
    }
    allowance -= bytes.count
    if damage == nil, UInt32(truncatingIfNeeded: checksum32(bytes)) != member.crc {
      damage = failure(.corrupt, "its checksum does not hold")
    }
    return (bytes, damage)
  }

  /// Members by the central directory at the end; nil when there is none that holds together.
  private static func directory(_ bytes: [UInt8]) -> [Member]? {
    // The end record has 22 bytes and a comment of up to 65,535.
    guard bytes.count >= 22 else { return nil }
    var place = bytes.count - 22
    let lowest = max(0, place - 65_535)
    while bytes[place] != 0x50 || !bytes[place...].starts(with: [0x50, 0x4B, 0x05, 0x06]) {
      guard place > lowest else { return nil }
      place -= 1
    }
    var end = ByteReader(bytes[place...])
    end.skip(10)
    guard let count = end.integer(UInt16.self), end.integer(UInt32.self) != nil,
      let start = end.integer(UInt32.self), Int(start) <= place
    else { return nil }
    var reader = ByteReader(bytes[Int(start)..<place])
    var members: [Member] = []
    for _ in 0..<count {
      guard reader.integer(UInt32.self) == 0x0201_4B50 else { return nil }
      reader.skip(6)
      guard let method = reader.integer(UInt16.self) else { return nil }
      reader.skip(4)
      guard let crc = reader.integer(UInt32.self), let compressed = reader.integer(UInt32.self),
        let size = reader.integer(UInt32.self), let nameLength = reader.integer(UInt16.self),
        let extraLength = reader.integer(UInt16.self),
        let commentLength = reader.integer(UInt16.self)
      else { return nil }
      reader.skip(8)
      guard let position = reader.integer(UInt32.self), let name = reader.take(Int(nameLength)),
        reader.take(Int(extraLength) + Int(commentLength)) != nil, Int(position) < bytes.count
      else { return nil }
      // The local header may have other extra fields than the directory.
      var local = ByteReader(bytes[Int(position)...])
      guard local.integer(UInt32.self) == 0x0403_4B50 else { return nil }
      local.skip(22)
      guard let localName = local.integer(UInt16.self), let localExtra = local.integer(UInt16.self),
        local.take(Int(localName) + Int(localExtra)) != nil,
        let data = local.take(Int(compressed))
      else { return nil }
      members.append(
        Member(
          name: String(decoding: name, as: UTF8.self), method: method, crc: crc, size: Int(size),
          data: data))
    }
    return members
  }

  /// Members by the headers before them; the last may be cut off. A member whose size stands behind
  /// it is taken to reach to the end.
  private static func scan(_ bytes: [UInt8]) -> [Member] {
    var members: [Member] = []
    var reader = ByteReader(bytes[...])
    while reader.integer(UInt32.self) == 0x0403_4B50 {
      reader.skip(2)
      guard let flags = reader.integer(UInt16.self), let method = reader.integer(UInt16.self)
      else { break }
      reader.skip(4)
      guard let crc = reader.integer(UInt32.self), let compressed = reader.integer(UInt32.self),
        let size = reader.integer(UInt32.self), let nameLength = reader.integer(UInt16.self),
        let extraLength = reader.integer(UInt16.self), let name = reader.take(Int(nameLength)),
        reader.take(Int(extraLength)) != nil
      else { break }
      let hasSize = flags & 8 == 0
      let length = hasSize ? min(Int(compressed), reader.remaining) : reader.remaining
      guard let data = reader.take(length) else { break }
      members.append(
        Member(
          name: String(decoding: name, as: UTF8.self), method: method, crc: crc, size: Int(size),
          data: data))
    }
    return members
  }
}
