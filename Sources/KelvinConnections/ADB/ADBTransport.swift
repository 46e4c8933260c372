internal import KelvinModel

/// Opens byte channels to programs on a device by adb's shell service.
package final class ADBTransport: Sendable {
  package let device: any ADBDevice

  /// Creates a transport; nothing is opened yet.
  package init(_ device: any ADBDevice) { self.device = device }

  package var name: String { device.name }

  /// Starts a script by the device's sh; nil: a sh that reads its script from standard input.
  ///
  /// - Throws: `unsupported` for an adbd without shell,v2: ``openPlain(_:until:)`` is for those.
  func openShell(
    _ script: String?, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBShellLink {
    guard let script else {
      return ADBShellLink(try device.open("shell,v2,raw:exec sh", until: deadline))
    }
    if script.utf8.count <= ADBTransport.serviceLimit {
      return ADBShellLink(try device.open("shell,v2,raw:" + script, until: deadline))
    }
    let (reader, text) = ADBTransport.fed(script)
    let link = ADBShellLink(try device.open("shell,v2,raw:" + reader, until: deadline))
    try link.send(Array(text.utf8)[...], until: deadline)
    return link
  }

  /// The name of a service must fit into one packet of the device, which is 4096 bytes at the least;
  /// some servers abort when it does not.
  static let serviceLimit = 3500

  /// A script that reads a long one from its standard input and becomes it. `read` takes byte by byte,
  /// so what follows is left for the script itself.
  static func fed(_ script: String) -> (reader: String, text: String) {
    let end = nonce()
    let reader = """
      n='
      '; s=; while IFS= read -r l && [ "$l" != \(end) ]; do s=$s$l$n; done; eval "$s"
      """
    return (reader, script + "\n\(end)\n")
  }

  /// 128 random bits.
  static func nonce() -> String {
    var generator = SystemRandomNumberGenerator()
    return "kelvin" + String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
  }

  /// Starts a script on an old device; its standard error comes with its standard output.
  func openPlain(
    _ script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBPlainLink {
    let nonce = ADBTransport.nonce()
    let wrapped = ADBPlainLink.wrap(script, nonce: nonce)
    guard wrapped.utf8.count > ADBTransport.serviceLimit else {
      return ADBPlainLink(try device.open("exec:" + wrapped, until: deadline), nonce: nonce)
    }
    let (reader, text) = ADBTransport.fed(wrapped)
    let link = ADBPlainLink(try device.open("exec:" + reader, until: deadline), nonce: nonce)
    try link.send(Array(text.utf8)[...], until: deadline)
    return link
  }

  /// Whether the device keeps streams apart and tells how programs end.
  func hasShell2(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    try device.features(until: deadline).contains("shell_v2")
  }

  package func close() { device.close() }
}
