package import KelvinModel

/// Where a file goes in U-Boot's memory.
package enum UBootAddress: Sendable, Hashable {
  case number(UInt64)
  /// What a variable says, such as `kernel_addr_r`.
  case variable(String)

  /// Reads `0x40400000`, `40400000` (hexadecimal, as all numbers are in U-Boot) or a variable's name;
  /// nil for what is neither.
  package init?(_ text: String) {
    let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text[...]
    if let number = UInt64(digits, radix: 16), digits.first != "+" {
      self = .number(number)
    } else if !text.isEmpty, text.utf8.allSatisfy({ $0 == 95 || UBootAddress.isWord($0) }),
      text.utf8.first.map({ !(48...57).contains($0) }) ?? false
    {
      self = .variable(text)
    } else {
      return nil
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }
}

/// A file in U-Boot's memory, read back.
package struct UBootLoad: Sendable, Hashable {
  package var address: UInt64
  package var size: Int64
  package var checksum: UInt32
}

/// Files into U-Boot's memory.
extension UBootShell {
  /// Loads a file by YMODEM, and has U-Boot's `crc32` confirm it. The prompt is there afterwards, also
  /// when it fails, unless the line is gone.
  ///
  /// - Parameter tell: is called with the bytes that have gone, as it goes on.
  /// - Throws: `unsupported`: there is no lrzsz here, or no `loady` or `crc32` there; `refused`: the
  ///   address is not for files, or the line is so bad that the sender gives up; `badReply`: what
  ///   arrived is not the file; `timedOut`, `interrupted`, `connectionLost`.
  package func load(
    _ file: UBootFile, at address: UBootAddress, until deadline: Deadline,
    _ tell: (_ sent: Int64) -> Void = { _ in }
  ) throws(ConnectionFailure) -> UBootLoad {
    let program = try YModemSender.program()
    let place = try resolve(address, until: deadline)
    try checkRoom(place, file, until: deadline)
    try transfer(file, to: place, program, until: deadline, tell)
    let arrived = try checksum(at: place, count: file.size, until: deadline)
    guard arrived == file.checksum else {
      throw ConnectionFailure(
        .badReply,
        "\(link.name): \(file.path): U-Boot has CRC-32 \(UBootShell.hex(arrived)) in its place, not "
          + UBootShell.hex(file.checksum),
        hint: "was the file changed meanwhile? Else load it again")
    }
    return UBootLoad(address: place, size: file.size, checksum: arrived)
  }

  /// Seconds that a file of so many bytes may need: a minute, and a quarter of what 115,200 bits a second
  /// would carry.
  package static func loadSeconds(_ bytes: Int64) -> Double { 60 + Double(bytes) * 40 / 115_200 }

  private static func hex(_ value: some BinaryInteger) -> String { String(value, radix: 16) }

  // MARK: The place

  func resolve(
    _ address: UBootAddress, until deadline: Deadline
  ) throws(ConnectionFailure) -> UInt64 {
    guard case .variable(let name) = address else {
      guard case .number(let number) = address else { return 0 }
      return number
    }
    guard let value = try variable(name, until: deadline) else {
      throw ConnectionFailure(
        .refused(name), "\(link.name): U-Boot has no variable '\(name)' to tell an address",
        hint: "'--env' lists them")
    }
    let text = String(decoding: value, as: UTF8.self)
    guard case .number(let number)? = UBootAddress(text) else {
      throw ConnectionFailure(
        .refused(text), "\(link.name): U-Boot's '\(name)' is '\(text)', and no address")
    }
    return number
  }

  /// Makes sure of the place before minutes are spent: by what U-Boot says of its memory, and by reading
  /// its first and its last byte.
  func checkRoom(
    _ place: UInt64, _ file: UBootFile, until deadline: Deadline
  ) throws(ConnectionFailure) {
    func refused(_ why: String) -> ConnectionFailure {
      ConnectionFailure(
        .refused(why),
        "\(link.name): \(file.path): \(file.size) bytes cannot be loaded at "
          + "0x\(UBootShell.hex(place)): \(why)",
        hint: "U-Boot's variables name places: 'loadaddr', 'kernel_addr_r', 'ramdisk_addr_r'")
    }
    // Of a board that does not tell, no more is known than that addresses end.
    let told = try steady("bdinfo", until: deadline)?.output ?? []
    if let why = UBootMemory(told).obstacle(place, count: UInt64(file.size)) {
      throw refused(why)
    }
    do {
      _ = try checksum(at: place, count: 1, until: deadline)
      _ = try checksum(at: place + UInt64(file.size) - 1, count: 1, until: deadline)
    } catch {
      guard error.code == .connectionLost, hasLeft || watch.hasBanner else { throw error }
      throw refused("the board has restarted when U-Boot was to read there")
    }
  }

  /// Has U-Boot read its memory.
  func checksum(
    at place: UInt64, count: Int64, until deadline: Deadline
  ) throws(ConnectionFailure) -> UInt32 {
    let command = "crc32 \(UBootShell.hex(place)) \(UBootShell.hex(count))"
    for _ in 0..<4 {
      guard let reply = try steady(command, until: deadline) else { break }
      if let arrow = reply.output.lastRange(of: Array("==> ".utf8)) {
        let digits = reply.output[arrow.upperBound...].prefix { $0 > 32 }
        if digits.count == 8, let sum = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) {
          return sum
        }
      } else if contains("nknown command", in: reply.output) {
        throw ConnectionFailure(
          .unsupported,
          "\(link.name): this U-Boot has no 'crc32', by which a file would be read back",
          evidence: reply.text, hint: "it is built with CONFIG_CMD_CRC32")
      }
    }
    throw ConnectionFailure(
      .badReply, "\(link.name): U-Boot's 'crc32' gives no sum", evidence: lastWords)
  }

  /// What a command prints that changes nothing: read until two readings are alike, once the line has
  /// lost anything; nil when they never are.
  private func steady(
    _ command: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> UBootReply? {
    var seen: [[UInt8]] = []
    for _ in 0..<8 {
      let reply = try run(command, until: deadline)
      if reply.isFramed, !isNoisy || seen.contains(reply.output) { return reply }
      seen.append(reply.output)
    }
    return nil
  }

  // MARK: The way there

  private func transfer(
    _ file: UBootFile, to place: UInt64, _ program: String, until deadline: Deadline,
    _ tell: (_ sent: Int64) -> Void
  ) throws(ConnectionFailure) {
    var failure: ConnectionFailure?
    let ending = try carryOut(
      Array("loady \(UBootShell.hex(place))".utf8), until: deadline
    ) { (line) throws(ConnectionFailure) in
      failure = nil
      guard try self.awaitReceiver(line, until: deadline) else {
        // It may have begun, and a damaged line said so.
        if line.end(in: self.heard) == nil, try !self.listens(until: .after(seconds: 3)) {
          try self.cancelReceiver(line)
        }
        return false
      }
      do throws(ConnectionFailure) {
        let sender = try YModemSender(program, file.path)
        try self.relay(sender, file, until: deadline, tell)
      } catch {
        guard error.code != .connectionLost else { throw error }
        failure = error
        try self.cancelReceiver(line)
      }
      return true
    }
    if let failure { throw failure }
    guard case .ended(let status, let output, _) = ending else {
      throw lost("it has started something else")
    }
    let text = String(decoding: output, as: UTF8.self)
    guard !contains("nknown command", in: output) else {
      throw ConnectionFailure(
        .unsupported, "\(link.name): this U-Boot has no 'loady', and takes no files by its console",
        evidence: text, hint: "it is built with CONFIG_CMD_LOADB")
    }
    guard status ?? 0 == 0 else {
      let words = text.split(separator: "\n").last.map(String.init) ?? ""
      throw ConnectionFailure(
        .refused(words), "\(link.name): \(file.path): U-Boot did not take it: \(words)",
        evidence: String(decoding: ConsoleText.visible(output), as: UTF8.self))
    }
  }
}
