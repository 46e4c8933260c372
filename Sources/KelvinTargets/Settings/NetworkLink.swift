internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// The interfaces of a board by which this very connection comes: taken down, nobody could take them up.
enum NetworkLink: Sendable, Hashable {
  /// None: a console, a cable, this machine.
  case none
  case by(Set<String>)
  /// It comes by a network, and by which interface could not be found out.
  case unknown

  /// Asks the board: as sshd says in the session's environment, else by adbd's open connections.
  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> NetworkLink {
    // As the session's own user: what makes root of it may leave the variable out.
    let said = try await board.output(
      of: """
        [ -n "$SSH_CONNECTION" ] || { echo -; exit 0; }
        set -- $SSH_CONNECTION; case $3 in *%*) echo "${3#*%}"; exit 0;; esac
        k=$(ip -o addr show 2>/dev/null | while read -r n i f a r; do
        [ "${a%/*}" = "$3" ] && echo "$i"; done); echo "${k:-?}"
        """, asRoot: false, until: deadline)
    let names = said?.words ?? ["?"]
    if names.first == "?" { return .unknown }
    if names != ["-"] { return .by(Set(names)) }
    let carrier = board.connection.capabilities.carrier
    guard carrier != .cable else { return .none }
    let text = try await board.output(of: ADBSessions.question, until: deadline) ?? ""
    switch ADBSessions(text).interfaces {
    case let names? where !names.isEmpty: return .by(names)
    case nil: return .unknown
    default: return carrier == .network ? .unknown : .none
    }
  }
}

/// Connections to a board's adbd over TCP, as its kernel lists them.
///
/// Sources: Linux Documentation/networking/proc_net_tcp.rst (addresses are words of 32 bits in the order
/// of the CPU, here a little-endian one; state 01 is established); iproute2's `ip -o addr`; AOSP
/// packages/modules/adb/daemon/main.cpp for the properties, and 5555 where none is set.
struct ADBSessions: Sendable {
  private static let separator = "---"
  private static let properties = [
    "service.adb.tcp.port", "persist.adb.tcp.port", "service.adb.tls.port",
    "service.adb.listen_addrs", "persist.adb.listen_addrs"
  ]
  private static let defaultPort: UInt16 = 5555

  /// What prints what ``init(_:)`` reads.
  static let question = """
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; echo \(separator)
    ip -o addr show 2>/dev/null; echo \(separator)
    for p in \(properties.joined(separator: " ")); do getprop $p 2>/dev/null; done; true
    """

  /// The board's own addresses of the connections, without its loopback.
  private(set) var addresses: Set<[UInt8]> = []
  private var owners: [[UInt8]: String] = [:]

  /// Reads what the question's answer says; what is no line of those is passed over.
  init(_ text: String) {
    var parts: [[String]] = [[]]
    for line in text.split(whereSeparator: \.isNewline) {
      if line == Self.separator {
        parts.append([])
      } else {
        parts[parts.count - 1].append("\(line)")
      }
    }
    let numbers = parts.dropFirst(2).joined().flatMap { $0.split { !$0.isNumber } }
    let ports = Set(numbers.compactMap { UInt16($0) } + [Self.defaultPort])
    for line in parts[0] {
      let fields = line.words
      guard fields.count > 3, fields[3] == "01" else { continue }
      let local = fields[1].split(separator: ":")
      guard local.count == 2, let port = UInt16(local[1], radix: 16), ports.contains(port),
        let address = Self.address(hexadecimal: local[0]), !Self.isLoopback(address)
      else { continue }
      addresses.insert(address)
    }
    for line in parts.dropFirst().first ?? [] {
      let fields = line.words
      guard fields.count > 3, let address = Self.address(written: fields[3]) else { continue }
      owners[address] = fields[1].split { $0 == "@" || $0 == ":" }.first.map(String.init)
    }
  }

  /// Those that have the addresses; nil when one of these is nobody's.
  var interfaces: Set<String>? {
    var names: Set<String> = []
    for address in addresses {
      guard let name = owners[address] else { return nil }
      names.insert(name)
    }
    return names
  }

  /// `0F02000A` is 10.0.2.15; 32 digits are IPv6, or IPv4 in it.
  private static func address(hexadecimal text: Substring) -> [UInt8]? {
    guard text.utf8.count == 8 || text.utf8.count == 32 else { return nil }
    var bytes: [UInt8] = []
    var rest = text
    while !rest.isEmpty {
      guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
      for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
      rest = rest.dropFirst(8)
    }
    let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
    return bytes.starts(with: mapped) ? Array(bytes.dropFirst(12)) : bytes
  }

  /// `10.0.2.15/24`, `fe80::1/64`.
  private static func address(written text: String) -> [UInt8]? {
    let text = text.prefix { $0 != "/" }
    let isLong = text.contains(":")
    var bytes = [UInt8](repeating: 0, count: isLong ? 16 : 4)
    return inet_pton(isLong ? AF_INET6 : AF_INET, String(text), &bytes) == 1 ? bytes : nil
  }

  private static func isLoopback(_ address: [UInt8]) -> Bool {
    address.count == 4
      ? address[0] == 127 : address == [UInt8](repeating: 0, count: 15) + [1]
  }
}
