internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Where a simulated console is reached.
package enum ConsolePlace: Sendable, Hashable {
  /// A pseudo terminal, and a link to it that stays when it goes and another one comes.
  case terminal(link: String?)
  /// A TCP port of 127.0.0.1 with the bytes as they are; 0: one that is free.
  case tcp(port: UInt16)
  /// The same by the telnet protocol.
  case telnet(port: UInt16)
  case socket(path: String)
}

/// The thing at a place that hosts open; it can be taken away and brought back.
///
/// Used by one thread.
final class ConsoleEntrance {
  private let place: ConsolePlace
  /// A terminal's master, where the host is; -1 of the others.
  private(set) var master: Int32 = -1
  /// Held open, so that the settings stay, and the master never hangs up between two hosts.
  private var slave: Int32 = -1
  /// A listening socket; -1 of a terminal.
  private(set) var listener: Int32 = -1
  /// Where hosts find it now; of a terminal, its own device file.
  private(set) var address = ""
  /// Where they find it whenever it is there.
  var lastingAddress: String {
    if case .terminal(let link?) = place { return link }
    return address
  }
  private var port: UInt16 = 0

  init(_ place: ConsolePlace) throws(PlainFailure) {
    self.place = place
    switch place {
    case .tcp(let wanted), .telnet(let wanted): port = wanted
    default: break
    }
    try appear()
  }

  deinit { vanish() }

  /// Makes what hosts open.
  ///
  /// - Throws: `infrastructure` when the place is taken or the machine has no terminal left;
  ///   `configuration` when something else is in its place.
  func appear() throws(PlainFailure) {
    switch place {
    case .terminal(let link):
      try makeTerminal()
      if let link { try ConsoleEntrance.link(address, at: link) }
    case .tcp, .telnet:
      (listener, port) = try LoopbackPort.open(port)
      address = "127.0.0.1:\(port)"
      kelvin_set_nonblocking(listener)
    case .socket(let path): try listen(path)
    }
  }

  /// Takes it away: who has it open sees a hang-up. Idempotent.
  func vanish() {
    if case .terminal(let link?) = place, ConsoleEntrance.leads(link, to: address) { unlink(link) }
    if case .socket(let path) = place, listener >= 0 { unlink(path) }
    for descriptor in [master, slave, listener] where descriptor >= 0 { close(descriptor) }
    (master, slave, listener) = (-1, -1, -1)
  }

  private func makeTerminal() throws(PlainFailure) {
    var name = [CChar](repeating: 0, count: 128)
    master = kelvin_pty(&name, name.count)
    guard master >= 0 else {
      throw PlainFailure(
        .infrastructure, "no pseudo terminal: \(Errno.current)",
        hint: "/proc/sys/kernel/pty/max limits how many there are")
    }
    address = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    slave = kelvin_open(address, O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
    // A terminal begins by echoing, which would be typed at the board.
    guard slave >= 0, kelvin_tty_raw(slave, 115_200) == 0 else {
      let error = Errno.current
      vanish()
      throw PlainFailure(.infrastructure, "\(address): \(error)")
    }
    kelvin_set_nonblocking(master)
  }

  private func listen(_ path: String) throws(PlainFailure) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let parent = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "."
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK {
      throw PlainFailure(.configuration, "\(path): there is something else, which is no socket")
    }
    let directory = kelvin_open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard directory >= 0 else { throw PlainFailure(.configuration, "\(parent): \(Errno.current)") }
    defer { close(directory) }
    do {
      listener = try UnixSocket.listen(directory: directory, name: String(parts.last ?? ""))
    } catch {
      throw PlainFailure(.infrastructure, "\(path): \(error)")
    }
    address = path
  }

  /// A link that an earlier simulator left is replaced, anything else is not.
  private static func link(_ target: String, at path: String) throws(PlainFailure) {
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK { unlink(path) }
    guard symlink(target, path) == 0 else {
      throw PlainFailure(
        .configuration, "\(path): the link cannot be made", evidence: "\(Errno.current)")
    }
  }

  private static func leads(_ path: String, to target: String) -> Bool {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    return count > 0
      && String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) == target
  }
}
