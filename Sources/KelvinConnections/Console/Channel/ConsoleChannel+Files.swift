internal import Glibc
package import KelvinModel
internal import KelvinSystem

// Files over the channel: in blocks, each of them a command of its own and so checked and done once
// at most; to a name of their own first, where a later call goes on when the line was lost.

extension ConsoleChannel {
  /// Bytes of a file in one command.
  static let fileBlock = 11_520
  /// What a file's name has while it is not whole.
  static let partSuffix = ".kelvin-part"

  /// Writes a file on the board: to a name of its own, which is renamed at the end. Goes on with
  /// what an earlier call brought there before the line was lost or the time over, if that is right.
  /// Parent directories are made.
  ///
  /// - Parameter progress: told the bytes that stand firm on the board.
  /// - Throws: the board's error; `connectionLost` and others of a command, after which a further
  ///   call goes on.
  package func push(
    _ bytes: [UInt8], to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: (Int) -> Void = { _ in }
  ) throws(ConnectionFailure) {
    let part = ShellWords.quote(path.string + ConsoleChannel.partSuffix)
    do throws(ConnectionFailure) {
      try append(bytes, to: part, path, until: deadline, progress: progress)
      try name(part, path, mode: mode, bytes, until: deadline)
    } catch {
      if !ConsoleChannel.mayGoOn(after: error), isOpen {
        _ = try? run("rm -f \(part)", until: .after(seconds: 10))
      }
      throw error
    }
  }

  /// Whether a part of a file is worth keeping.
  private static func mayGoOn(after failure: ConnectionFailure) -> Bool {
    [.connectionLost, .timedOut, .interrupted].contains(failure.code)
  }

  private func append(
    _ bytes: [UInt8], to part: String, _ path: TargetPath, until deadline: Deadline,
    progress: (Int) -> Void
  ) throws(ConnectionFailure) {
    var offset = try begin(part, of: bytes, path, until: deadline)
    progress(offset)
    while offset < bytes.count {
      let block = Array(bytes[offset...].prefix(ConsoleChannel.fileBlock))
      let reply = try run(
        "cat >>\(part)&&wc -c <\(part)", input: block, until: deadline)
      try succeed(reply, path)
      offset += block.count
      guard number(reply.output) == offset else {
        throw ConnectionFailure(
          .system(.io), "\(path): something else writes to it (\(link.name))")
      }
      progress(offset)
    }
  }

  /// Checks the whole, and gives it its name.
  private func name(
    _ part: String, _ path: TargetPath, mode: UInt16, _ bytes: [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) {
    let target = ShellWords.quote(path.string)
    let octal = String(mode & 0o7777, radix: 8)
    let word = String(decoding: request.check.word(of: bytes), as: UTF8.self)
    // A directory of that name is no place for the file: mv would put it inside.
    let reply = try run(
      "set -- $(\(request.check.rawValue) <\(part)); [ \"$1\" = \(word) ]||exit 97;"
        + "if [ -d \(target) ];then echo ': Is a directory' >&2;exit 1;fi;"
        + "chmod \(octal) \(part)&&mv -f \(part) \(target)", until: deadline)
    guard reply.status != 97 else {
      throw ConnectionFailure(
        .system(.io), "\(path): the board stored other bytes than it was sent (\(link.name))",
        hint: "its memory or file system may be damaged")
    }
    try succeed(reply, path)
  }

  /// Makes the parent directory and a part file, and tells how many bytes of it are right.
  private func begin(
    _ part: String, of bytes: [UInt8], _ path: TargetPath, until deadline: Deadline
  ) throws(ConnectionFailure) -> Int {
    let slash = path.string.lastIndex(of: "/")
    let parent = slash.map { String(path.string[..<$0]) } ?? ""
    let make = parent.isEmpty ? "" : "mkdir -p \(ShellWords.quote(parent))&&"
    let reply = try run(
      "\(make): >>\(part)&&wc -c <\(part)&&\(request.check.rawValue) <\(part)", until: deadline)
    try succeed(reply, path)
    let lines = reply.output.split(separator: 10)
    guard lines.count == 2, let count = number(lines[0]), count <= bytes.count,
      lines[1].starts(with: request.check.word(of: bytes[..<count]) + [0x20])
    else {
      try succeed(try run(": >\(part)", until: deadline), path)
      return 0
    }
    return count
  }

  /// Reads a file of the board into a host file: under a name of its own, which is renamed at the
  /// end. Goes on with what an earlier call brought, if the whole is right then.
  ///
  /// - Parameter progress: told the bytes that have come.
  /// - Returns: how many there are.
  @discardableResult
  package func pull(
    _ path: TargetPath, to destination: String, until deadline: Deadline,
    progress: (Int) -> Void = { _ in }
  ) throws(ConnectionFailure) -> Int {
    let source = ShellWords.quote(path.string)
    let check = request.check
    let part = destination + ConsoleChannel.partSuffix
    for isFresh in [false, true] {
      let reply = try run(
        "wc -c \(source)&&\(check.rawValue) <\(source)", until: deadline)
      try succeed(reply, path)
      let lines = reply.output.split(separator: 10)
      // A name behind the size may hold a newline.
      guard let last = lines.last, lines.count >= 2, let count = number(lines[0]) else {
        throw ConnectionFailure(.system(.io), "\(path): no size (\(link.name))")
      }
      var bytes = isFresh ? [] : SmallFile.read(part, limit: count + 1) ?? []
      // Whole blocks only, since blocks are what the board is asked for.
      bytes.removeLast(bytes.count % ConsoleChannel.fileBlock)
      if bytes.count > count { bytes = [] }
      let hadSome = !bytes.isEmpty
      let file = try PartFile(part, keeping: bytes.count)
      progress(bytes.count)
      while bytes.count < count {
        let block = bytes.count / ConsoleChannel.fileBlock
        let reply = try run(
          "dd if=\(source) bs=\(ConsoleChannel.fileBlock) skip=\(block) count=1 2>/dev/null",
          until: deadline)
        guard !reply.output.isEmpty else { break }
        try file.append(reply.output)
        bytes += reply.output
        progress(bytes.count)
      }
      if bytes.count == count, last.starts(with: check.word(of: bytes) + [0x20]) {
        try file.finish(as: destination)
        return count
      }
      unlink(part)
      // What an earlier call brought may have been of another file.
      guard hadSome else { break }
    }
    throw ConnectionFailure(
      .system(.io), "\(path): it changed while it was read (\(link.name))")
  }

  private func succeed(_ reply: ConsoleReply, _ path: TargetPath) throws(ConnectionFailure) {
    guard reply.status != 0 else { return }
    throw ConnectionFailure(
      ShellReply.errno(inMessage: reply.error) ?? .io, path: path, connection: link.name)
  }

  private func number(_ bytes: some Collection<UInt8>) -> Int? {
    let digits = bytes.drop { $0 == UInt8(ascii: " ") }.prefix { (48...57).contains($0) }
    return ConsoleFrame.Words.number(Array(digits)[...])
  }
}

/// A host file that is not whole yet.
private final class PartFile {
  private let path: String
  private let descriptor: Int32

  init(_ path: String, keeping count: Int) throws(ConnectionFailure) {
    self.path = path
    descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0, ftruncate(descriptor, count) == 0, lseek(descriptor, 0, SEEK_END) >= 0
    else { throw PartFile.failure(path) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func append(_ bytes: [UInt8]) throws(ConnectionFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw PartFile.failure(path) }
      rest = rest.dropFirst(count)
    }
  }

  func finish(as destination: String) throws(ConnectionFailure) {
    guard rename(path, destination) == 0 else { throw PartFile.failure(destination) }
  }

  private static func failure(_ path: String) -> ConnectionFailure {
    let error = KelvinModel.Errno.current
    return ConnectionFailure(.hostFile(error), "\(path): \(error)")
  }
}
