import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// A real SSH server on a loopback port, as a process of this user: its own keys, its own users (by
/// nss_wrapper), and a login shell of the test's choice. It ends with its last reference, and with
/// this process.
final class SSHServer: Sendable {
  enum Kind: String, Sendable { case sshd, dropbear }
  enum Login: String, Sendable { case dash, bash, busybox }

  let port: Int
  let scratch: Scratch
  private let process: LocalProcess
  static let password = "a 'secret' $word"

  /// Why no server can run here; nil when one can.
  static let obstacle: String? = {
    for program in ["/usr/sbin/sshd", "/usr/sbin/dropbear", "/bin/busybox"]
    where access(program, X_OK) != 0 { return "there is no \(program)" }
    return nssWrapper() == nil ? "there is no libnss_wrapper.so" : nil
  }()

  private static func nssWrapper() -> String? {
    ["x86_64-linux-gnu", "aarch64-linux-gnu"].map { "/usr/lib/\($0)/libnss_wrapper.so" }
      .first { access($0, R_OK) == 0 }
  }

  /// - Parameters:
  ///   - login: dropbear takes none that is not in /etc/shells: not busybox.
  ///   - start: a line of bash's start file, which is read before each shell.
  ///   - settings: lines of sshd's configuration.
  ///   - mounts: a script of what it mounts in a namespace of its own; needs root.
  ///   - port: 0 chooses a free one.
  init(
    _ kind: Kind, login: Login = .bash, start: String = "", settings: [String] = [],
    mounts: String? = nil, port: Int = 0, scratch: Scratch? = nil
  ) throws {
    let scratch = try scratch ?? Scratch()
    self.scratch = scratch
    self.port = try port == 0 ? SSHServer.freePort() : port
    try SSHServer.makeUsers(in: scratch, login: login, start: start)
    if access(scratch.path + "/client", F_OK) != 0 {
      try SSHServer.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch.path + "/client"])
      try SSHServer.run([
        "cp", scratch.path + "/client.pub", scratch.path + "/home/.ssh/authorized_keys"
      ])
      chmod(scratch.path + "/home/.ssh/authorized_keys", 0o600)
    }
    let key = scratch.path + "/host-" + kind.rawValue
    var argv: [String]
    switch kind {
    case .sshd:
      if access(key, F_OK) != 0 {
        try SSHServer.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
      }
      // The server's own place for its unprivileged half.
      if geteuid() == 0 { mkdir("/run/sshd", 0o755) }
      let lines =
        [
          "ListenAddress 127.0.0.1", "Port \(self.port)", "HostKey \(key)", "PidFile none",
          "Subsystem sftp internal-sftp", "StrictModes no", "UsePAM no", "PermitRootLogin yes",
          "PasswordAuthentication yes",
          "AuthorizedKeysFile \(scratch.path)/home/.ssh/authorized_keys"
        ] + settings
      try scratch.write("sshd_config", Array((lines.joined(separator: "\n") + "\n").utf8))
      argv = ["/usr/sbin/sshd", "-D", "-e", "-f", scratch.path + "/sshd_config"]
    case .dropbear:
      if access(key, F_OK) != 0 { try SSHServer.run(["dropbearkey", "-t", "ed25519", "-f", key]) }
      argv = [
        "/usr/sbin/dropbear", "-F", "-E", "-p", "127.0.0.1:\(self.port)", "-r", key, "-P",
        scratch.path + "/dropbear.pid"
      ]
    }
    // It ends when its standard input does: with this process at the latest.
    if let mounts {
      argv = ["unshare", "-m", "sh", "-ec", mounts + "\nexec \"$@\"", scratch.path] + argv
    }
    let watch = "\"$@\" </dev/null & IFS= read -r line; kill $!; wait"
    let launcher = ProcessLauncher(environment: [
      "LD_PRELOAD": SSHServer.nssWrapper() ?? "", "NSS_WRAPPER_PASSWD": scratch.path + "/passwd",
      "NSS_WRAPPER_GROUP": scratch.path + "/group", "NSS_WRAPPER_SHADOW": scratch.path + "/shadow"
    ])
    let command = Command(
      ["sh", "-c", watch, "server"] + argv, standardInput: .bytes([]), standardOutput: .discard,
      standardError: .discard)
    process = try launcher.start(command)
    try SSHServer.waitForPort(self.port)
  }

  /// The test's own address and key; the server's host key is what it is.
  func options(hostKey: SSHOptions.HostKeyPolicy? = nil) throws -> SSHOptions {
    try scratch.write("ssh_config", [])
    return SSHOptions(
      host: "127.0.0.1", port: port, user: "tester", key: scratch.path + "/client",
      hostKey: try hostKey ?? .file(knownHosts()), configuration: scratch.path + "/ssh_config")
  }

  /// A file that knows this server's key.
  func knownHosts() throws -> String {
    let path = scratch.path + "/known_hosts"
    if access(path, F_OK) != 0 {
      try SSHServer.run([
        "sh", "-c", "ssh-keyscan -p \(port) 127.0.0.1 2>/dev/null >'\(path)'"
      ])
    }
    return path
  }

  func connection() throws -> ShellConnection { ShellConnection(SSHTransport(try options())) }

  /// The server's processes that carry a login, or all below the one that listens.
  func sessionProcesses() -> [Int32] {
    let all = ProcessEntry.all().filter { !$0.isZombie }
    guard let listener = all.first(where: { $0.parent == process.processID }) else { return [] }
    return all.filter { $0.parent == listener.processID }.map(\.processID)
  }

  private static func makeUsers(in scratch: Scratch, login: Login, start: String) throws {
    let home = scratch.path + "/home"
    mkdir(home, 0o700)
    mkdir(home + "/.ssh", 0o700)
    let shell: String
    switch login {
    case .bash:
      shell = "/bin/bash"
      try scratch.write("home/.bashrc", Array((start + "\n").utf8))
    case .dash:
      shell = "/bin/dash"
    case .busybox:
      shell = scratch.path + "/login"
      // Everything on this target is busybox.
      let tools = scratch.path + "/bin"
      if access(tools, F_OK) != 0 {
        mkdir(tools, 0o755)
        try run(["busybox", "--install", "-s", tools])
      }
      try scratch.write(
        "login", Array("#!/bin/dash\nPATH=\(tools) exec busybox ash \"$@\"\n".utf8))
      chmod(shell, 0o755)
    }
    let (user, group) = (geteuid(), getegid())
    try scratch.write(
      "passwd",
      Array(
        """
        tester:x:\(user):\(group):tester:\(home):\(shell)
        sshd:x:102:65534::/run/sshd:/usr/sbin/nologin

        """.utf8))
    try scratch.write("group", Array("tester:x:\(group):\nnogroup:x:65534:\n".utf8))
    try run([
      "sh", "-c",
      "printf '%s' \"$1\" | openssl passwd -6 -stdin | sed 's/.*/tester:&:19000:0:99999:7:::/' "
        + ">'\(scratch.path)/shadow'", "sh", password
    ])
  }

  private static func run(_ argv: [String]) throws {
    let process = try ProcessLauncher(environment: [:]).start(
      Command(argv, standardOutput: .discard, standardError: .discard))
    _ = Deadline.after(seconds: 30).wait(for: process.pidfd)
    process.release()
  }

  static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Errno.current }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard status else { throw Errno.current }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  private static func waitForPort(_ port: Int) throws {
    let deadline = Deadline.after(seconds: 20)
    while !deadline.hasPassed {
      if let descriptor = try? TCPSocket.connect(
        host: "127.0.0.1", port: UInt16(port), until: deadline.limited(toSeconds: 1))
      {
        close(descriptor)
        return
      }
      usleep(5000)
    }
    throw Errno(ETIMEDOUT)
  }
}
