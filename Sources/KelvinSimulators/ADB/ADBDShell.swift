internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A shell of the simulated device: a real one of this machine.
///
/// `id` and `reboot` are the device's own: what a shell says of its user follows `root:`.
final class ADBDShell {
  private let stream: ADBDStream
  private let isSecond: Bool
  private let hasTerminal: Bool
  private let terminalType: String
  private let isRoot: Bool
  /// A folder that goes before PATH.
  private let programs: String?
  private var input: Int32 = -1
  private var output: Int32 = -1
  private var error: Int32 = -1
  private var processID: pid_t = 0
  private var arrived: [UInt8] = []
  /// What the program has not taken yet, and whether the host ended it.
  private var waiting: [UInt8] = []
  private var isInputEnded = false

  init?(
    _ stream: ADBDStream, isSecond: Bool, hasTerminal: Bool, terminalType: String, isRoot: Bool,
    programs: String? = nil
  ) {
    self.programs = programs
    self.stream = stream
    self.terminalType = terminalType
    self.isSecond = isSecond
    self.hasTerminal = hasTerminal
    self.isRoot = isRoot
  }

  /// Runs a command, or a shell without one, to its end.
  func run(_ command: String) {
    guard start(command) else { return }
    pump()
    if stream.isEnded { deliverRest() } else { waitForEnd() }
    kill(-processID, SIGKILL)
    var status: Int32 = 0
    var time: Int64 = 0
    var memory: Int64 = 0
    _ = kelvin_reap(processID, 0, &status, &time, &memory)
    for descriptor in Set([input, output, error]) where descriptor >= 0 { close(descriptor) }
    guard isSecond, stream.fault != .noExit else { return }
    var code = UInt8(truncatingIfNeeded: status & 0x7F == 0 ? status >> 8 : 0x80 | status & 0x7F)
    if stream.fault == .wrongExit { code &+= 1 }
    stream.send(ADBDShell.packet(3, [code]))
  }

  private static func packet(_ kind: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [kind] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
  }

  private func start(_ command: String) -> Bool {
    let preamble = """
      id() { if [ "$1" = -u ]; then echo \(isRoot ? 0 : 2000); else
      echo 'uid=\(isRoot ? "0(root)" : "2000(shell)")'; fi; }

      """
    var children: [Int32] = [-1, -1, -1]
    var argv = command.isEmpty ? ["sh", "-i"] : ["sh", "-c", preamble + command]
    if let programs {
      argv =
        ["sh", "-c", "PATH=$0:$PATH; export PATH; exec \"$@\"", programs] + argv
    }
    if hasTerminal {
      var name = [CChar](repeating: 0, count: 128)
      let master = kelvin_pty(&name, name.count)
      let slave = kelvin_open(
        String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self),
        O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
      guard master >= 0, slave >= 0 else { return false }
      (input, output) = (master, master)
      children = [slave, slave, slave]
      // A session that opens a terminal gets it as its own.
      let path = String(
        decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      argv =
        ["sh", "-c", "exec 0<>\"$0\" 1>&0 2>&0; TERM=$1; export TERM; shift; exec \"$@\"", path]
        + [terminalType] + argv
    } else {
      var ends: [[Int32]] = [[-1, -1], [-1, -1], [-1, -1]]
      for index in 0..<3 where kelvin_pipe(&ends[index]) != 0 { return false }
      _ = fcntl(ends[0][0], F_SETFL, 0)
      _ = kelvin_set_nonblocking(ends[0][1])
      (input, output, error) = (ends[0][1], ends[1][0], ends[2][0])
      children = [ends[0][0], ends[1][1], isSecond ? ends[2][1] : ends[1][1]]
      if !isSecond {
        close(ends[2][0])
        close(ends[2][1])
        error = -1
      }
    }
    _ = kelvin_set_nonblocking(output)
    defer { for child in Set(children) { close(child) } }
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    return kelvin_spawn(
      "/bin/sh", words, kelvin_environment(), "/", children[0], children[1], children[2],
      &processID) == 0
  }

  // MARK: Bytes

  /// Until the program has closed its output, or the host has hung up.
  private func pump() {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var isOutputOpen = true
    var isErrorOpen = error >= 0
    while isOutputOpen || isErrorOpen {
      if stream.isEnded { return }
      var polled = [
        pollfd(fd: stream.bell.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOutputOpen ? output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isErrorOpen ? error : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: waiting.isEmpty ? -1 : input, events: Int16(POLLOUT), revents: 0)
      ]
      // A session that ends rings no bell of its streams.
      poll(&polled, 4, 200)
      if polled[0].revents != 0 { stream.bell.silence() }
      // Whatever rang: what was left while the program did not read rings no more.
      takeInput()
      feed()
      if polled[1].revents != 0 { isOutputOpen = forward(output, 1, &buffer) }
      if polled[2].revents != 0 { isErrorOpen = forward(error, 2, &buffer) }
    }
  }

  /// What the host sent before it hung up still reaches a plain service, and then the end of its
  /// input.
  private func deliverRest() {
    guard !isSecond, !hasTerminal else { return }
    let deadline = Deadline.after(seconds: 1)
    waiting += stream.take()
    isInputEnded = true
    feed()
    while !waiting.isEmpty, deadline.wait(for: input, events: Int16(POLLOUT)) == .ready { feed() }
    let descriptor = kelvin_pidfd_open(processID, 0)
    guard descriptor >= 0 else { return }
    _ = deadline.wait(for: descriptor)
    close(descriptor)
  }

  /// A program may close its output long before it ends.
  private func waitForEnd() {
    let descriptor = kelvin_pidfd_open(processID, 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    while !stream.isEnded {
      var polled = [descriptor, stream.bell.descriptor].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      poll(&polled, 2, 200)
      if polled[0].revents != 0 { return }
      stream.bell.silence()
      takeInput()
    }
  }

  private func takeInput() {
    // One packet at a time while the program does not read: the host waits.
    guard waiting.count < 1 << 20 else { return }
    let bytes = stream.take()
    guard isSecond else {
      waiting += bytes
      return
    }
    arrived += bytes
    while arrived.count >= 5 {
      let length = (0..<4).reduce(0) { $0 | Int(arrived[1 + $1]) << ($1 * 8) }
      guard arrived.count >= 5 + length else { break }
      let payload = arrived[5..<(5 + length)]
      switch arrived[0] {
      case 0: waiting += payload
      case 4: isInputEnded = true
      case 5 where hasTerminal: resize(payload)
      default: break
      }
      arrived.removeFirst(5 + length)
    }
  }

  /// `ROWSxCOLUMNS,WIDTHxHEIGHT`
  private func resize(_ payload: ArraySlice<UInt8>) {
    let words = String(decoding: payload, as: UTF8.self).split { $0 == "x" || $0 == "," }
    guard words.count >= 2, let rows = Int32(words[0]), let columns = Int32(words[1]) else {
      return
    }
    _ = kelvin_terminal_resize(output, rows, columns)
  }

  private func feed() {
    while !waiting.isEmpty, input >= 0 {
      let count = write(input, waiting, waiting.count)
      if count < 0 {
        if errno != EAGAIN { waiting = [] }
        break
      }
      waiting.removeFirst(count)
    }
    guard waiting.isEmpty, isInputEnded, input >= 0, !hasTerminal else { return }
    close(input)
    input = -1
  }

  /// False at the end.
  private func forward(_ descriptor: Int32, _ kind: UInt8, _ buffer: inout [UInt8]) -> Bool {
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return count < 0 && errno == EAGAIN }
    let bytes = Array(buffer[..<count])
    return stream.send(isSecond ? ADBDShell.packet(kind, bytes) : bytes)
  }
}
