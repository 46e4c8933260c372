/// A device as the adb server lists it.
package struct ADBDeviceRecord: Hashable, Sendable {
  /// Empty when the device has none.
  package var serial: String
  package var state: ADBState
  /// Where it is plugged in: `usb:1-1`. Nil for TCP.
  package var path: String?
  package var product: String?
  package var model: String?
  package var device: String?
  /// Names this connection of the device; nil in short listings.
  package var transportID: UInt64?

  /// Reads a listing of `host:devices` or `host:devices-l`; lines that are no records are left out.
  ///
  /// Attributes stand at the end, so they are read from there: a state may have blanks
  /// (AOSP transport.cpp, append_transport).
  package static func list(_ text: String) -> [ADBDeviceRecord] {
    text.split(separator: "\n").compactMap { ADBDeviceRecord(line: $0) }
  }

  init?(line: Substring) {
    let missing = "(no serial number)"
    if line.hasPrefix(missing) {
      serial = ""
    } else {
      serial = String(line.prefix { $0 != "\t" && $0 != " " })
      guard !serial.isEmpty else { return nil }
    }
    var words = line.dropFirst(serial.isEmpty ? missing.count : serial.count)
      .split { $0 == " " || $0 == "\t" }
    state = .other("")
    while words.count > 1, let word = words.last, let colon = word.firstIndex(of: ":"),
      take(word[..<colon], word)
    {
      words.removeLast()
    }
    guard !words.isEmpty else { return nil }
    state = ADBState(words.joined(separator: " "))
  }

  /// Takes one attribute; false when it is none.
  private mutating func take(_ key: Substring, _ word: Substring) -> Bool {
    let value = String(word[key.endIndex...].dropFirst())
    switch key {
    case "usb": path = String(word)
    case "product": product = value
    case "model": model = value
    case "device": device = value
    case "transport_id":
      guard let number = UInt64(value) else { return false }
      transportID = number
    default: return false
    }
    return true
  }
}

/// What the adb server says of a device's connection.
package enum ADBState: Hashable, Sendable, CustomStringConvertible {
  case device, offline, unauthorized, authorizing, connecting, noPermissions
  case bootloader, recovery, sideload, rescue, host, detached
  case other(String)

  /// Reads the server's word; what follows `no permissions` is the server's advice.
  package init(_ text: String) {
    if text.hasPrefix("no permissions") {
      self = .noPermissions
    } else {
      self = ADBState.named[text] ?? .other(text)
    }
  }

  private static let named: [String: ADBState] = [
    "device": .device, "offline": .offline, "unauthorized": .unauthorized,
    "authorizing": .authorizing, "connecting": .connecting, "bootloader": .bootloader,
    "recovery": .recovery, "sideload": .sideload, "rescue": .rescue, "host": .host,
    "detached": .detached
  ]

  package var description: String {
    switch self {
    case .noPermissions: "no permissions"
    case .other(let text): text
    default: ADBState.named.first { $0.value == self }?.key ?? ""
    }
  }
}

/// Which of the server's devices is meant.
package enum ADBSelector: Hashable, Sendable, CustomStringConvertible {
  /// The only one.
  case any
  /// A serial number, `HOST:PORT`, or a path such as `usb:1-1`.
  case serial(String)
  /// One connection, which tells devices with one serial number apart.
  case transportID(UInt64)

  package var description: String {
    switch self {
    case .any: "the only device"
    case .serial(let serial): serial
    case .transportID(let id): "transport \(id)"
    }
  }

  /// What leads to it. adb calls devices on the network `HOST:PORT` or by their service's name, and
  /// emulators, which may be either, `emulator-PORT`.
  var carrier: Capabilities.Carrier {
    guard case .serial(let serial) = self else { return .unknown }
    if serial.hasPrefix("usb:") { return .cable }
    if serial.contains(":") || serial.contains("._adb") { return .network }
    return serial.hasPrefix("emulator-") ? .unknown : .cable
  }

  /// What a request about this device begins with (AOSP SERVICES.TXT).
  var prefix: String {
    switch self {
    case .any: "host:"
    case .serial(let serial): "host-serial:\(serial):"
    case .transportID(let id): "host-transport-id:\(id):"
    }
  }

  /// The request that leads a stream to this device.
  var transport: String {
    switch self {
    case .any: "host:transport-any"
    case .serial(let serial): "host:transport:\(serial)"
    case .transportID(let id): "host:transport-id:\(id)"
    }
  }
}
