internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What a host can open on the simulated device (AOSP SERVICES.TXT).
struct ADBDService: Sendable {
  private enum Kind: Sendable {
    case shell(command: String, isSecond: Bool, terminal: String?)
    case sync
    case answer(String, restart: Double?, root: Bool?)
    case tcp(UInt16)
  }
  private let kind: Kind
  private let shared: ADBDShared

  /// Nil for what it does not have.
  init?(_ name: String, _ shared: ADBDShared) {
    self.shared = shared
    let settings = shared.settings
    let words = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let rest = words.count > 1 ? String(words[1]) : ""
    let options = words[0].split(separator: ",")
    switch options.first {
    case "shell":
      let isSecond = options.contains("v2")
      if options.count > 1, !settings.features.contains("shell_v2") { return nil }
      // Those from before 2016 give one to every shell.
      let hasTerminal =
        options.contains("pty") || (rest.isEmpty && !options.contains("raw"))
        || !settings.features.contains("shell_v2")
      let type = options.first { $0.hasPrefix("TERM=") }?.dropFirst(5) ?? "dumb"
      kind = .shell(
        command: rest, isSecond: isSecond, terminal: hasTerminal ? String(type) : nil)
    case "exec": kind = .shell(command: rest, isSecond: false, terminal: nil)
    case "sync": kind = .sync
    case "tcp":
      guard let port = UInt16(rest) else { return nil }
      kind = .tcp(port)
    case "reboot": kind = .answer("", restart: settings.downSeconds, root: false)
    case "root" where settings.isProduction:
      kind = .answer("adbd cannot run as root in production builds\n", restart: nil, root: nil)
    case "root" where shared.state.withLock({ $0.isRoot }):
      kind = .answer("adbd is already running as root\n", restart: nil, root: nil)
    case "root": kind = .answer("restarting adbd as root\n", restart: 0.1, root: true)
    case "unroot" where !shared.state.withLock({ $0.isRoot }):
      kind = .answer("adbd not running as root\n", restart: nil, root: nil)
    case "unroot": kind = .answer("restarting adbd as non root\n", restart: 0.1, root: false)
    default: return nil
    }
  }

  /// Serves one stream to its end; the caller closes it.
  func run(_ stream: ADBDStream) {
    switch kind {
    case .shell(let command, let isSecond, let terminal):
      let shell = ADBDShell(
        stream, isSecond: isSecond, hasTerminal: terminal != nil,
        terminalType: terminal ?? "", isRoot: shared.state.withLock { $0.isRoot },
        programs: shared.settings.android?.programs)
      shell?.run(command)
    case .sync:
      var sync = ADBDSync(stream, shared.settings)
      sync.run()
    case .answer(let text, let restart, let root):
      stream.send(Array(text.utf8))
      stream.close()
      if let restart, let root { shared.restart(after: restart, isRoot: root) }
    case .tcp(let port): relay(stream, port)
    }
  }

  /// Leads a stream to a port of this machine.
  private func relay(_ stream: ADBDStream, _ port: UInt16) {
    guard
      let socket = try? TCPSocket.connect(
        host: "127.0.0.1", port: port, until: .after(seconds: 5))
    else { return }
    defer { close(socket) }
    var waiting: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while !stream.isEnded {
      var polled = [
        pollfd(
          fd: socket, events: Int16(waiting.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0),
        pollfd(fd: waiting.isEmpty ? stream.bell.descriptor : -1, events: Int16(POLLIN), revents: 0)
      ]
      poll(&polled, 2, 1000)
      stream.bell.silence()
      if waiting.isEmpty { waiting = stream.take() }
      if !waiting.isEmpty {
        let count = send(socket, waiting, waiting.count, Int32(MSG_NOSIGNAL))
        if count > 0 { waiting.removeFirst(count) }
        if count < 0, errno != EAGAIN { return }
      }
      let count = read(socket, &buffer, buffer.count)
      if count == 0 || (count < 0 && errno != EAGAIN) { return }
      if count > 0, !stream.send(Array(buffer[..<count])) { return }
    }
  }
}
