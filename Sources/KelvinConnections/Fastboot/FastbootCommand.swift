/// A command to a boot loader: printable text of at most 64 bytes (Android's fastboot/README.md).
public struct FastbootCommand: Sendable, Hashable {
  /// As it is sent.
  public let text: String

  /// Old boot loaders read no more.
  public static let limit = 64

  /// Checks a command.
  ///
  /// - Throws: `unsupported` when it is empty, too long, or has control characters.
  public init(_ text: String) throws(ConnectionFailure) {
    guard !text.isEmpty else { throw ConnectionFailure(.unsupported, "an empty command") }
    guard text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
      throw ConnectionFailure(
        .unsupported,
        "'\(text.debugDescription.dropFirst().dropLast())' is no command for a boot "
          + "loader: it takes printable ASCII only")
    }
    guard text.utf8.count <= FastbootCommand.limit else {
      throw ConnectionFailure(
        .unsupported,
        "'\(text)' is \(text.utf8.count) bytes long; boot loaders take commands of "
          + "\(FastbootCommand.limit)")
    }
    self.text = text
  }

  /// `download:00001234`
  static func download(_ count: UInt32) -> FastbootCommand {
    let digits = String(count, radix: 16)
    return FastbootCommand(
      known: "download:" + String(repeating: "0", count: 8 - digits.utf8.count) + digits)
  }

  static let boot = FastbootCommand(known: "boot")
  static let proceed = FastbootCommand(known: "continue")
  static let reboot = FastbootCommand(known: "reboot")
  static let rebootBootloader = FastbootCommand(known: "reboot-bootloader")
  static let upload = FastbootCommand(known: "upload")

  private init(known text: String) { self.text = text }
}
