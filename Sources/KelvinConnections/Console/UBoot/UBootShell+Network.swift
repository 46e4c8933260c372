package import KelvinModel

/// Files into U-Boot's memory, by its network.
extension UBootShell {
  /// Loads a file by TFTP, and has U-Boot's `crc32` confirm it.
  ///
  /// The network is as it was set before: `serverip`, and an address of its own.
  ///
  /// - Parameter name: on the server.
  /// - Throws: `refused` with U-Boot's words when nothing or not all of it comes; `badReply`: what arrived
  ///   is not the file; as ``load(_:at:until:_:)``.
  package func fetch(
    _ file: UBootFile, named name: String, at address: UBootAddress, until deadline: Deadline
  ) throws(ConnectionFailure) -> UBootLoad {
    let place = try resolve(address, until: deadline)
    try checkRoom(place, file, until: deadline)
    let command =
      Array("tftpboot \(String(place, radix: 16)) ".utf8) + UBootQuoting.word(Array(name.utf8))
    let reply = try run(command, until: deadline)
    let arrived = try checksum(at: place, count: file.size, until: deadline)
    guard arrived != file.checksum else {
      return UBootLoad(address: place, size: file.size, checksum: arrived)
    }
    let words = UBootShell.reason(reply.text)
    guard reply.status ?? 0 == 0 else {
      throw ConnectionFailure(
        .refused(words), "\(link.name): \(file.path) does not come by TFTP as '\(name)': \(words)",
        evidence: String(decoding: ConsoleText.visible(reply.output.suffix(600)), as: UTF8.self),
        hint: "does the server that U-Boot asks serve the directory of the bench file?")
    }
    throw ConnectionFailure(
      .badReply,
      "\(link.name): \(file.path): what came by TFTP as '\(name)' is another file (CRC-32 "
        + "\(String(arrived, radix: 16)), not \(String(file.checksum, radix: 16)))",
      hint: "does the server serve the directory of the bench file?")
  }

  /// The line in which U-Boot says what went wrong; else its last.
  package static func reason(_ text: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingASCIIWhitespace }
      .filter { !$0.isEmpty }
    let telling = lines.last { line in
      ["error", "ERROR", "exceeded", "Retry", "not set", "Unknown command"].contains {
        line.contains($0)
      }
    }
    return String((telling ?? lines.last ?? "").prefix(200))
  }
}
