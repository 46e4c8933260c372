internal import Glibc
internal import KelvinModel
internal import KelvinSystem

extension ShellConnection {
  /// Has the link itself read a host file as a script's input; its checksum is taken meanwhile, close
  /// behind the link, while the bytes are in the processor's caches.
  ///
  /// - Parameters:
  ///   - words: a program that prints a line with `nonce` before it reads.
  ///   - head: the checksum of what is before the file's offset.
  /// - Returns: what the program said; nil when the link has no such way, or the program did not
  ///   begin: where the login shell does not understand it.
  func stream(
    _ source: Int32, _ hostPath: String, _ words: [String], after head: PosixChecksum,
    nonce: String, meter: TransferMeter, until deadline: Deadline
  ) throws(ConnectionFailure) -> (
    answer: [UInt8], error: [UInt8], isSuccess: Bool, checksum: PosixChecksum
  )? {
    let exports = environment.isEmpty ? [] : ["env"] + environment.map { "\($0)=\($1)" }.sorted()
    guard let link = try transport.open(exports + words, reading: source, until: deadline) else {
      return nil
    }
    defer { link.abandon() }
    var checksum = head
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    /// Takes the file up to an offset, or to its end.
    func take(upTo end: UInt64) throws(ConnectionFailure) {
      while checksum.count < end {
        let wanted = Int(min(UInt64(buffer.count), end - checksum.count))
        let count = pread(source, &buffer, wanted, off_t(checksum.count))
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw ConnectionFailure(hostFile: hostPath, .current) }
        if count == 0 { return }
        buffer.withUnsafeBytes { checksum.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      }
    }
    var (output, error): ([UInt8], [UInt8]) = ([], [])
    while true {
      if case .ended(let status) = try link.receive(into: &output, error: &error) {
        // Start files of the login shell may have said something before it.
        guard let begin = output.firstRange(of: Array((nonce + "\n").utf8)) else { return nil }
        let isSuccess = status == 0
        if isSuccess { try take(upTo: .max) }
        return (Array(output[begin.upperBound...]), error, isSuccess, checksum)
      }
      // Nothing that belongs here says so much.
      if output.count > 1 << 20 { output.removeFirst(output.count - 1 << 16) }
      if error.count > 1 << 20 { error.removeFirst(error.count - 1 << 16) }
      let position = lseek(source, 0, SEEK_CUR)
      if position > 0 { try take(upTo: UInt64(position)) }
      meter.tell(Int64(max(0, position)))
      switch link.wait(toSend: false, until: deadline.limited(toSeconds: 0.02)) {
      case .ready: break
      case .interrupted: throw ConnectionFailure(.interrupted, "stopped (\(name))")
      case .passed:
        if deadline.hasPassed { throw ConnectionFailure(.timedOut, "timed out (\(name))") }
      }
    }
  }
}
