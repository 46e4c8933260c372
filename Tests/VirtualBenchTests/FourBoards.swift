import Foundation
import Glibc
import KelvinModel
import Testing

/// Four virtual boards, each reached in another way, each by a cord that a test can pull.
final class FourBoards: Sendable {
  /// How a board is reached.
  enum Way: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case serial, telnet, ssh, adb
    var testDescription: String { rawValue }
  }

  @TaskLocal static var current: FourBoards?

  let guests: [Way: VirtualGuest]
  private let cords: [Way: Cord]
  let folder: String
  /// The bench file.
  let text: String

  init() throws {
    folder = NSTemporaryDirectory() + "kelvin-four-\(getpid())"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var guests: [Way: VirtualGuest] = [:]
    var cords: [Way: Cord] = [:]
    do {
      for way in Way.allCases {
        let guest = try VirtualGuest.start(
          way == .ssh ? "arm" : "x86-a", for: "-\(way)",
          way == .telnet ? ["--console", "telnet"] : [])
        guests[way] = guest
        cords[way] = try FourBoards.cord(way, guest, folder)
      }
    } catch {
      for guest in guests.values { guest.stop() }
      throw error
    }
    self.guests = guests
    self.cords = cords
    text = try FourBoards.bench(guests, cords)
  }

  deinit {
    for cord in cords.values { cord.pull() }
    for guest in guests.values { guest.stop() }
    try? FileManager.default.removeItem(atPath: folder)
  }

  func guest(_ way: Way) throws -> VirtualGuest { try #require(guests[way]) }
  func cord(_ way: Way) throws -> Cord { try #require(cords[way]) }

  private static func cord(
    _ way: Way, _ guest: VirtualGuest, _ folder: String
  ) throws -> Cord {
    switch way {
    // A serial adapter: a terminal that goes when its process does.
    case .serial:
      return try Cord(tty: "\(folder)/tty", to: "UNIX-CONNECT:\(guest.console)")
    case .telnet:
      let port = try #require(guest.console.split(separator: ":").last)
      return try Cord(to: "TCP:127.0.0.1:\(port)")
    case .ssh: return try Cord(to: "TCP:127.0.0.1:\(guest.port("ssh_port"))")
    case .adb:
      try startADBD(guest)
      return try Cord(to: "TCP:127.0.0.1:\(guest.port("adb_port"))")
    }
  }

  /// Android's own daemon, with the libraries that it was built against.
  static func startADBD(_ guest: VirtualGuest) throws {
    let daemon = try #require(adbd, "run scripts/build-adbd")
    let copied = try VirtualGuest.program(
      "/bin/sh",
      [
        "-ec",
        """
        mkdir -p \(guest.folder)/share/adb; cd \(guest.folder)/share/adb; cp \(daemon) adbd
        ldd adbd | sed -n 's/.*=> \\(\\/[^ ]*\\).*/\\1/p' | while read -r f; do cp -L "$f" .; done
        cp -L /lib64/ld-linux-x86-64.so.2 ld.so
        """
      ])
    try #require(copied.code == 0, "\(copied)")
    try guest.run(
      """
      modprobe 9pnet_virtio; modprobe 9p; mkdir -p /tmp/share
      mount -t 9p -o trans=virtio,version=9p2000.L share /tmp/share
      cp -r /tmp/share/adb /tmp/adb
      ADBD_PROPERTIES=service.adb.listen_addrs=tcp:5555 \
      /tmp/adb/ld.so --library-path /tmp/adb /tmp/adb/adbd >/tmp/adbd.log 2>&1 </dev/null &
      """)
  }

  /// $KELVIN_ADBD, as scripts/test sets it.
  static var adbd: String? {
    getenv("KELVIN_ADBD").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func bench(
    _ guests: [Way: VirtualGuest], _ cords: [Way: Cord]
  ) throws -> String {
    var text = "boards:\n"
    for way in Way.allCases {
      let guest = try #require(guests[way])
      let place = try #require(cords[way]).place
      let login = "login: root, password-from: 'env:BOARD_PASSWORD'"
      let connection =
        switch way {
        case .serial: "serial: {path: \(place), \(login)}"
        case .telnet: "telnet: {host: 127.0.0.1, port: \(place), \(login)}"
        case .ssh: "ssh: {host: 127.0.0.1, port: \(place), config: \(guest.folder)/ssh_config}"
        case .adb: "adb: {tcp: '127.0.0.1:\(place)'}"
        }
      text += """
          \(way):
            profile: \(way == .ssh ? "virtual-arm" : "virtual-x86")
            connection: {\(connection)}
            power: {qmp: \(guest.folder)/qmp.sock}

        """
    }
    return text
  }
}

/// A relay by socat between Kelvin and a board.
final class Cord: Sendable {
  /// A port of 127.0.0.1, or a terminal's path.
  let place: String
  private let arguments: [String]
  private nonisolated(unsafe) var process: Process?
  /// Holds a terminal open, which would otherwise go with its last user.
  private nonisolated(unsafe) var keeper: Int32 = -1

  convenience init(to far: String) throws {
    let port = try Cord.freePort()
    try self.init("\(port)", ["TCP-LISTEN:\(port),bind=127.0.0.1,reuseaddr,fork", far])
  }

  convenience init(tty path: String, to far: String) throws {
    try self.init(path, ["PTY,link=\(path),raw,echo=0", far])
  }

  private init(_ place: String, _ arguments: [String]) throws {
    self.place = place
    self.arguments = arguments
    try plug()
  }

  /// Puts it in, again if need be.
  func plug() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/socat")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    self.process = process
    try VirtualGuest.wait("the cord \(place)") {
      place.hasPrefix("/")
        ? access(place, F_OK) == 0
        : try VirtualGuest.program("/bin/ss", ["-ltnH", "sport", "=", ":\(place)"]).output != ""
    }
    if place.hasPrefix("/") { keeper = open(place, O_RDWR | O_NOCTTY | O_CLOEXEC) }
  }

  /// Pulls it: both ends see it go.
  func pull() {
    guard let process else { return }
    // It leads a group of its own, with a child for each connection.
    kill(-process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    self.process = nil
    if keeper >= 0 { close(keeper) }
    keeper = -1
    if place.hasPrefix("/") { unlink(place) }
  }

  private static func freePort() throws -> UInt16 {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
      }
    }
    try #require(status == 0)
    return UInt16(bigEndian: address.sin_port)
  }
}

/// Gives a suite four boards.
struct FourBoardsTrait: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    guard VirtualGuest.obstacle == nil, FourBoards.adbd != nil else {
      return try await function()
    }
    try await FourBoards.$current.withValue(FourBoards(), operation: function)
  }
}

extension Trait where Self == FourBoardsTrait {
  /// The suite's tests share four boards.
  static var fourBoards: FourBoardsTrait { FourBoardsTrait() }
}
