internal import KelvinModel

/// How a board is reached by ssh.
package struct SSHOptions: Sendable, Hashable {
  package var host: String
  /// Nil: ssh's own configuration decides.
  package var port: Int?
  package var user: String?
  /// The private key's file; nil: ssh's own configuration and the agent decide.
  package var key: String?
  package var password: PasswordSource?
  package var hostKey: HostKeyPolicy = .configured
  /// The configuration file for ssh; nil: the user's and the system's.
  package var configuration: String?
  /// Seconds until a host that does not answer counts as not there.
  package var connectTimeout = 10
  /// Seconds of silence after which the client asks the server whether it lives; the third question in
  /// a row without an answer ends the link.
  package var aliveInterval = 5

  /// How a host's key is checked.
  package enum HostKeyPolicy: Sendable, Hashable {
    /// As ssh's own configuration says; where it would ask, an unknown key is refused.
    case configured
    /// It must be known.
    case strict
    /// The first one is remembered; later it must be that one.
    case acceptNew
    /// It must be in this file, of the format of known_hosts.
    case file(String)
  }

  /// Creates options.
  package init(
    host: String, port: Int? = nil, user: String? = nil, key: String? = nil,
    password: PasswordSource? = nil, hostKey: HostKeyPolicy = .configured,
    configuration: String? = nil
  ) {
    self.host = host
    self.port = port
    self.user = user
    self.key = key
    self.password = password
    self.hostKey = hostKey
    self.configuration = configuration
  }

  /// `root@10.0.0.7:2222`.
  var address: String {
    let host = host.contains(":") ? "[\(host)]" : host
    return (user.map { "\($0)@" } ?? "") + host + (port.map { $0 == 22 ? "" : ":\($0)" } ?? "")
  }

  /// The words of a client that logs in and carries others' channels; no word is a secret.
  ///
  /// What stands before the user's own configuration wins: so nothing in it can make this client
  /// forward ports, ask, or go to the background. `ready` is printed once channels can be asked for.
  func arguments(socket: String) -> [String] {
    var words = ["ssh"]
    if let configuration { words += ["-F", configuration] }
    words += ["-N", "-T", "-x", "-a", "-S", literal(socket)]
    func set(_ option: String) { words += ["-o", option] }
    set("ControlMaster=yes")
    set("ControlPersist=no")
    set("BatchMode=\(password == nil ? "yes" : "no")")
    if password != nil { set("NumberOfPasswordPrompts=1") }
    set("ConnectTimeout=\(connectTimeout)")
    set("ServerAliveInterval=\(aliveInterval)")
    set("ServerAliveCountMax=3")
    set("LogLevel=ERROR")
    set("PermitLocalCommand=yes")
    set("LocalCommand=echo ready")
    set("RemoteCommand=none")
    set("ClearAllForwardings=yes")
    set("ForkAfterAuthentication=no")
    set("EscapeChar=none")
    switch hostKey {
    case .configured: break
    case .strict: set("StrictHostKeyChecking=yes")
    case .acceptNew: set("StrictHostKeyChecking=accept-new")
    case .file(let path):
      set("StrictHostKeyChecking=yes")
      set("UserKnownHostsFile=\"\(literal(path))\"")
      set("GlobalKnownHostsFile=/dev/null")
    }
    if let key {
      words += ["-i", literal(key)]
      // An agent with many keys would use up the server's tries first.
      set("IdentitiesOnly=yes")
    }
    if let port { words += ["-p", "\(port)"] }
    if let user { words += ["-l", user] }
    return words + ["--", host]
  }

  /// A path in which ssh finds nothing to expand (TOKENS in ssh_config(5)).
  private func literal(_ path: String) -> String { path.replacing("%", with: "%%") }
}
