internal import Glibc
internal import KelvinModel

/// What host and device agreed on.
struct ADBAgreement: Sendable {
  let banner: ADBBanner
  /// Whether payloads carry their checksum.
  let checks: Bool
  let maximumPayload: Int

  /// Features that Kelvin can use and the device has.
  var features: Set<String> { banner.features.intersection(ADBHandshake.features) }
}

/// The first words of a connection to a device: who is there, and the proof by a key.
enum ADBHandshake {
  static let features: Set<String> = [
    "shell_v2", "cmd", "stat_v2", "ls_v2", "fixed_push_mkdir", "sendrecv_v2"
  ]

  /// Greets a device over a fresh connection.
  ///
  /// - Parameter repeatingEvery: after so many seconds without any answer it greets again: on USB the
  ///   device may have taken the first greeting for the rest of what an earlier host was sending.
  /// - Throws: `unreachable(.notAdmitted)` when the device does not trust any of the keys and its user
  ///   does not accept one by the deadline; `unreachable(.incompatible)` for one that wants TLS.
  static func run(
    _ stream: ADBStream, keys store: ADBKeyStore, repeatingEvery seconds: Double? = nil,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBAgreement {
    let banner = "host::features=\(features.sorted().joined(separator: ","))"
    let greeting = ADBMessage(
      .connect, ADBMessage.version, UInt32(ADBMessage.maximumPayload), Array(banner.utf8)
    ).encoded
    try stream.send(greeting, until: deadline)
    if let seconds {
      while try !stream.hasSomething(until: deadline.limited(toSeconds: seconds)) {
        if deadline.hasPassed { break }
        try stream.send(greeting, until: deadline)
      }
    }
    var untried: [ADBKey]?
    var first: ADBKey?
    var isShown = false
    while true {
      let message: ADBMessage
      do {
        message = try read(stream, until: deadline)
      } catch {
        guard isShown, error.code == .timedOut else { throw error }
        throw ConnectionFailure(
          .unreachable(.notAdmitted),
          "\(stream.name): its user has not accepted the key of this host",
          hint: "accept it on the device's screen; where there is none, add the line of "
            + "\(store.directory)/adbkey.pub to /data/misc/adb/adb_keys on it")
      }
      switch message.command {
      case .connect: return try agree(message, stream)
      case .startTLS:
        throw ConnectionFailure(
          .unreachable(.incompatible), "\(stream.name): the device wants TLS (wireless debugging)",
          hint: "pair it by the adb server ('adb pair'), and use 'adb: {serial: ...}'")
      case .auth where message.argument0 == 1:
        if untried == nil {
          untried = try store.keys()
          first = untried?.first
        }
        if let key = untried?.first {
          untried?.removeFirst()
          let signature = try sign(message.payload, key, stream)
          try stream.send(ADBMessage(.auth, 2, 0, signature).encoded, until: deadline)
        } else if !isShown, let first {
          isShown = true
          let line = Array(try store.publicLine(of: first).utf8) + [0]
          try stream.send(ADBMessage(.auth, 3, 0, line).encoded, until: deadline)
        }
      // Leftovers of an earlier connection.
      default: continue
      }
    }
  }

  private static func agree(
    _ message: ADBMessage, _ stream: ADBStream
  ) throws(ConnectionFailure) -> ADBAgreement {
    let version = min(message.argument0, ADBMessage.version)
    guard version >= ADBMessage.versionWithChecks, message.argument1 >= 256 else {
      throw ConnectionFailure(
        .unsupported,
        "\(stream.name): speaks version \(String(message.argument0, radix: 16)) with payloads of "
          + "\(message.argument1) bytes, which no adbd does")
    }
    let banner = ADBBanner(message.payload)
    guard banner.kind != "bootloader" else {
      throw ConnectionFailure(.unsupported, "\(stream.name): is in its boot loader")
    }
    return ADBAgreement(
      banner: banner, checks: version < ADBMessage.version,
      maximumPayload: min(Int(message.argument1), ADBMessage.maximumPayload))
  }

  private static func sign(
    _ token: [UInt8], _ key: ADBKey, _ stream: ADBStream
  ) throws(ConnectionFailure) -> [UInt8] {
    do {
      return try key.sign(token)
    } catch {
      throw ConnectionFailure(.unsupported, "\(stream.name): \(error.text)")
    }
  }

  private static func read(
    _ stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBMessage {
    let header: ADBMessage.Header
    let bytes = try stream.read(ADBMessage.headerSize, until: deadline)
    do {
      header = try ADBMessage.header(bytes)
    } catch {
      throw ConnectionFailure(
        .badReply, "\(stream.name): sent \(error.text)",
        hint: "does an adbd listen there, or something else?")
    }
    let payload = try stream.read(header.length, until: deadline)
    return ADBMessage(header.command, header.argument0, header.argument1, payload)
  }
}
