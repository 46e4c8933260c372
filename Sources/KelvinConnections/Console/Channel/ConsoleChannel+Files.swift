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
  /// Parent directories are made. A host file is read as it goes.
  ///
  /// - Parameter progress: told the bytes that stand firm on the board.
  /// - Throws: the board's error; `connectionLost` and others of a command, after which a further
  ///   call goes on.
  package func push(
    _ source: ConsoleSource, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: (Int) -> Void = { _ in }
  ) throws(ConnectionFailure) {
    let part = ShellWords.quote(path.string + ConsoleChannel.partSuffix)
    do throws(ConnectionFailure) {
      let word = try append(source, to: part, path, until: deadline, progress: progress)
      try name(part, path, mode: mode, word, until: deadline)
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

  /// - Returns: the check of all that was sent.
  private func append(
    _ source: ConsoleSource, to part: String, _ path: TargetPath, until deadline: Deadline,
    progress: (Int) -> Void
  ) throws(ConnectionFailure) -> String {
    var (offset, running) = try begin(part, of: source, path, until: deadline)
    progress(offset)
    while case let block = try source.read(ConsoleChannel.fileBlock, at: offset), !block.isEmpty {
      running.update(block)
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
    return String(decoding: running.word, as: UTF8.self)
  }

  /// Checks the whole, and gives it its name.
  private func name(
    _ part: String, _ path: TargetPath, mode: UInt16, _ word: String, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let target = ShellWords.quote(path.string)
    let octal = String(mode & 0o7777, radix: 8)
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

  /// Makes the parent directory and a part file, and tells how many bytes of it are right, and their
  /// check so far.
  private func begin(
    _ part: String, of source: ConsoleSource, _ path: TargetPath, until deadline: Deadline
  ) throws(ConnectionFailure) -> (count: Int, check: ConsoleCheck.Running) {
    let slash = path.string.lastIndex(of: "/")
    let parent = slash.map { String(path.string[..<$0]) } ?? ""
    let make = parent.isEmpty ? "" : "mkdir -p \(ShellWords.quote(parent))&&"
    let reply = try run(
      "\(make): >>\(part)&&wc -c <\(part)&&\(request.check.rawValue) <\(part)", until: deadline)
    try succeed(reply, path)
    let lines = reply.output.split(separator: 10)
    if lines.count == 2, let count = number(lines[0]), count <= source.count {
      let running = try source.check(request.check, ofFirst: count)
      if lines[1].starts(with: running.word + [0x20]) { return (count, running) }
    }
    try succeed(try run(": >\(part)", until: deadline), path)
    return (0, ConsoleCheck.Running(request.check))
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
      var offset = isFresh ? 0 : try PartFile.size(part)
      // Whole blocks only, since blocks are what the board is asked for.
      offset -= offset % ConsoleChannel.fileBlock
      if offset > count { offset = 0 }
      let hadSome = offset > 0
      var running = ConsoleCheck.Running(check)
      if hadSome { running = try ConsoleSource(hostFile: part).check(check, ofFirst: offset) }
      let file = try PartFile(part, keeping: offset)
      progress(offset)
      while offset < count {
        let block = offset / ConsoleChannel.fileBlock
        let reply = try run(
          "dd if=\(source) bs=\(ConsoleChannel.fileBlock) skip=\(block) count=1 2>/dev/null",
          until: deadline)
        guard !reply.output.isEmpty else { break }
        try file.append(reply.output)
        running.update(reply.output)
        offset += reply.output.count
        progress(offset)
      }
      if offset == count, last.starts(with: running.word + [0x20]) {
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

  /// Bytes that an earlier call left; 0 when there is none.
  static func size(_ path: String) throws(ConnectionFailure) -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else {
      if errno == ENOENT { return 0 }
      throw failure(path)
    }
    return Int(status.st_size)
  }

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
