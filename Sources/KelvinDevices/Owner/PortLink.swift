internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The far end of a held port while it is there: a descriptor, and what is spoken over it.
///
/// Used by the port's thread.
final class PortLink {
  let descriptor: Int32
  /// Nil: bytes are bytes.
  var telnet: TelnetCodec?
  let isTerminal: Bool
  /// Nil: it is none.
  let pseudoTerminal: PseudoTerminal?
  /// Nil: it is none. It closes the descriptor itself.
  let gpio: GPIOLine?
  /// Data that came before the link was ready; whoever takes them comes first.
  var backlog: [UInt8] = []

  private init(
    _ descriptor: Int32, telnet: TelnetCodec? = nil, isTerminal: Bool = false,
    pseudoTerminal: PseudoTerminal? = nil, gpio: GPIOLine? = nil
  ) {
    self.descriptor = descriptor
    self.gpio = gpio
    self.telnet = telnet
    self.isTerminal = isTerminal
    self.pseudoTerminal = pseudoTerminal
  }

  deinit {
    // A close alone leaves the mark as long as anyone else has the line open.
    if isTerminal { _ = kelvin_tty_exclusive(descriptor, 0) }
    if gpio == nil { close(descriptor) }
  }

  /// Opens the far end.
  ///
  /// - Parameter dead: a pseudo terminal that hung up, which is not taken for its successor.
  static func open(
    _ address: PortAddress, except dead: PseudoTerminal? = nil, until deadline: Deadline
  ) throws(OwnerFailure) -> PortLink {
    switch address {
    case .console(let address): return try open(address, except: dead, until: deadline)
    case .gpio(let chip, let line):
      do throws(DeviceFailure) {
        let held = try GPIOChip(chip).take(line, as: OtherOwner.consumer)
        return PortLink(held.descriptor, gpio: held)
      } catch {
        throw OwnerFailure(
          .lost, "line \(line) of '\(chip)': \(error.message)", hint: error.hint)
      }
    }
  }

  private static func open(
    _ address: ConsoleAddress, except dead: PseudoTerminal?, until deadline: Deadline
  ) throws(OwnerFailure) -> PortLink {
    switch address {
    case .serial(let path, let baud): return try terminal(path, baud, dead)
    case .pty(let path): return try terminal(path, ConsoleAddress.defaultBaud, dead)
    case .socket(let path):
      do {
        return PortLink(try UnixSocket.connect(path: path, until: deadline))
      } catch {
        throw OwnerFailure(.lost, "\(path): \(error)", hint: SocketFailure.system(error).hint)
      }
    case .tcp(let host, let port): return PortLink(try connect(host, port, until: deadline))
    case .telnet(let host, let port):
      return PortLink(try connect(host, port, until: deadline), telnet: TelnetCodec())
    case .rfc2217(let host, let port, let baud):
      let link = PortLink(
        try connect(host, port, until: deadline), telnet: TelnetCodec(baud: baud))
      try link.agree(on: "\(host):\(port)", until: deadline)
      return link
    }
  }

  private static func connect(
    _ host: String, _ port: UInt16, until deadline: Deadline
  ) throws(OwnerFailure) -> Int32 {
    do {
      return try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      throw OwnerFailure(.lost, "\(host):\(port): \(error)", hint: error.hint)
    }
  }

  /// Opens a serial line or a pseudo terminal's slave for this process alone: flock(2) keeps out
  /// whoever also asks, TIOCEXCL the rest (root excepted).
  ///
  /// Linux raises DTR and RTS when it opens a line that was closed; HUPCL is cleared, so that a close
  /// leaves them.
  private static func terminal(
    _ path: String, _ baud: UInt32, _ dead: PseudoTerminal?
  ) throws(OwnerFailure) -> PortLink {
    let descriptor = kelvin_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw openFailure(path, .current) }
    guard isatty(descriptor) == 1 else {
      close(descriptor)
      throw OwnerFailure(.lost, "\(path): is no serial line")
    }
    let pseudoTerminal = PseudoTerminal(descriptor: descriptor, path: path)
    if let pseudoTerminal, let stranger = strangerFailure(path, pseudoTerminal, dead) {
      close(descriptor)
      throw stranger
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw openFailure(path, Errno(EBUSY))
    }
    let link = PortLink(descriptor, isTerminal: true, pseudoTerminal: pseudoTerminal)
    guard kelvin_tty_exclusive(descriptor, 1) == 0, kelvin_tty_raw(descriptor, baud) == 0 else {
      throw OwnerFailure(.lost, "\(path): cannot be set up: \(Errno.current)")
    }
    return link
  }

  /// Nothing is read from a terminal that may have become somebody else's.
  private static func strangerFailure(
    _ path: String, _ terminal: PseudoTerminal, _ dead: PseudoTerminal?
  ) -> OwnerFailure? {
    if terminal == dead {
      return OwnerFailure(
        .lost, "\(path): it hung up, and may be another program's terminal by now",
        hint: "have it opened again when it is the console")
    }
    guard let user = terminal.user else { return nil }
    return OwnerFailure(
      .lost, "\(path): is the terminal of process \(user), and no console",
      hint: "a symbolic link that leads there may be an old one")
  }

  private static func openFailure(_ path: String, _ error: KelvinModel.Errno) -> OwnerFailure {
    let hint =
      switch error.rawValue {
      case EACCES, EPERM: "run 'kelvin bench udev --install' or join group dialout"
      case EBUSY: "another program uses it: 'fuser \(path)' names it"
      case ENOENT, ENODEV, ENXIO: "is it plugged in?"
      default: ""
      }
    // TIOCEXCL gives the same answer as the lock, and whoever uses it properly holds both.
    guard error.rawValue == EBUSY, let holder = FileLock.holder(of: path) else {
      return OwnerFailure(.lost, "\(path): \(error)", hint: hint)
    }
    let other = OtherOwner(processID: holder)
    return OwnerFailure(
      .lost, "\(path): \(error): \(other?.description ?? "process \(holder)") has it",
      hint: other?.hint ?? "it is \(ProcessEntry.program(of: holder) ?? "gone by now")")
  }

  // MARK: Bytes

  enum ReadResult { case bytes, nothing, gone(String) }

  /// Reads what is there, as much as the buffer holds, and appends the data in it.
  func read(_ buffer: UnsafeMutableRawBufferPointer, into data: inout [UInt8]) -> ReadResult {
    if gpio != nil { return readLine() }
    var filled = 0
    var ending: String?
    // A terminal gives at most a few KiB at a time.
    while filled < buffer.count {
      let count = Glibc.read(
        descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled)
      if count > 0 {
        filled += count
      } else if count == 0 {
        // A terminal that is hung up, or the other side's end.
        ending = isTerminal ? "the line hung up" : "the other side closed"
        break
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        ending = errno == EIO && isTerminal ? "the line hung up" : "\(Errno.current)"
        break
      }
    }
    let received = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
    if telnet != nil {
      telnet?.decode(received, into: &data)
    } else {
      data.append(contentsOf: received)
    }
    if filled > 0 { return .bytes }
    return ending.map(ReadResult.gone) ?? .nothing
  }

  /// One system call: how many bytes went, 0 when none can now.
  func write(_ bytes: ArraySlice<UInt8>) throws(KelvinModel.Errno) -> Int {
    while true {
      let count = bytes.withUnsafeBytes {
        isTerminal
          ? Glibc.write(descriptor, $0.baseAddress, $0.count)
          : send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 { return count }
      if errno == EAGAIN { return 0 }
      if errno != EINTR { throw .current }
    }
  }

  /// A line says nothing; reading it would block. What there is to know is whether its chip is there.
  private func readLine() -> ReadResult { isHungUp ? .gone("the chip is gone") : .nothing }

  /// Whether the far end is gone, without a look at what it said.
  var isHungUp: Bool {
    var polled = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&polled, 1, 0) > 0
  }
}
