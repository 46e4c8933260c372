internal import CLibMD
internal import CLinux
internal import Glibc
public import KelvinModel

/// SHA-256 of files and bytes of this machine, by Debian's libmd.
public enum Checksum {
  /// Of a file, as lower-case hex.
  public static func sha256(ofFile path: String) throws(Errno) -> String {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .current }
    defer { close(descriptor) }
    var context = SHA2_CTX()
    SHA256Init(&context)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .current }
      if count == 0 { break }
      SHA256Update(&context, buffer, count)
    }
    return finish(&context)
  }

  /// Of bytes, as lower-case hex.
  public static func sha256(_ bytes: [UInt8]) -> String {
    var context = SHA2_CTX()
    SHA256Init(&context)
    SHA256Update(&context, bytes, bytes.count)
    return finish(&context)
  }

  /// SHA-256 that is taken piece by piece.
  struct Digest {
    private var context = SHA2_CTX()

    init() { SHA256Init(&context) }

    /// Takes the next bytes.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
      SHA256Update(&context, bytes.baseAddress, bytes.count)
    }

    /// As lower-case hex; ends it.
    mutating func finish() -> String { Checksum.finish(&context) }
  }

  private static func finish(_ context: inout SHA2_CTX) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    SHA256Final(&digest, &context)
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
