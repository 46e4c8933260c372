internal import Glibc
package import KelvinModel

/// Many small files at the cost of a few processes on the target.
extension ShellConnection {
  /// Copies files by one `tar`, where there is one that takes them and `cksum`; what comes of it is
  /// compared before anything takes its name. Whatever goes wrong with them together is tried for each
  /// by itself, which tells what it is.
  package func push(
    _ files: [FileCopy], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    if files.count > 1, try pushTogether(files, until: deadline) { return }
    for file in files {
      try await push(file.hostPath, to: file.path, mode: file.mode, until: deadline)
    }
  }

  /// - Returns: false when nothing was changed.
  func pushTogether(
    _ files: [FileCopy], until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    let nonce = String(ShellChannel.nonce().suffix(12))
    guard let staged = StagedFiles(files, nonce: nonce) else { return false }
    var archive = UstarWriter()
    var expected: [(crc: UInt32, count: UInt64)] = []
    for (file, path) in zip(files, staged.paths) {
      guard let bytes = ShellConnection.small(file.hostPath),
        archive.add(String(path.drop { $0 == "/" }), bytes, mode: file.mode)
      else { return false }
      var checksum = PosixChecksum()
      bytes.withUnsafeBytes { checksum.update($0) }
      expected.append((checksum.value, checksum.count))
    }
    archive.finish()
    let words = staged.paths.map { ShellWords.quote($0) }.joined(separator: " ")
    let script = """
      \(staged.making) && tar -xmpof - -C / && exec cksum -- \(words)
      """
    let command = Command(
      ["sh", "-c", script], environment: ["LC_ALL": "C"], standardInput: .bytes(archive.bytes),
      endsDescendants: false)
    do {
      let result = try begin(command, until: deadline).wait(
        until: deadline, checksum: nil, progress: nil
      ).result
      let lines = result.standardOutput.bytes.split(separator: 10)
      // A name may hold newlines, but then there are more lines than files.
      let isWhole =
        result.isSuccess && lines.count == files.count
        && zip(lines, expected).allSatisfy { line, expected in
          line.starts(with: "\(expected.crc) \(expected.count) ".utf8)
        }
      if isWhole, try run(staged.moving(setsModes: false), until: deadline).status == 0 {
        return true
      }
    } catch {
      if error.code != .connectionLost { remove(staged) }
      throw error
    }
    remove(staged)
    return false
  }

  private func remove(_ staged: StagedFiles) {
    _ = try? run(staged.removing, until: .after(seconds: 5))
  }

  /// A regular file of this machine, unless it is large or cannot be read.
  private static func small(_ path: String) -> [UInt8]? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size <= FileCopy.smallSize, let bytes = try? LocalFile.read(path),
      bytes.count <= FileCopy.smallSize
    else { return nil }
    return bytes
  }

  /// Fetches files as values are read, all in one round trip.
  package func pull(
    _ files: [FileCopy], until deadline: Deadline
  ) async throws(ConnectionFailure) {
    guard files.count > 1 else {
      for file in files { try await pull(file.path, to: file.hostPath, until: deadline) }
      return
    }
    let results = try await read(files.map(\.path), until: deadline)
    for (file, result) in zip(files, results) {
      guard case .success(let bytes) = result else {
        // By itself it tells what is wrong, or is large by now.
        try await pull(file.path, to: file.hostPath, until: deadline)
        continue
      }
      do {
        try LocalFile.replace(file.hostPath, with: bytes)
      } catch {
        throw ConnectionFailure(hostFile: file.hostPath, error)
      }
    }
  }
}
