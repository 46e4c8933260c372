internal import KelvinModel

/// Reads from what OpenSSH's client says why there is no connection. Pure.
///
/// The texts are those of OpenSSH 7.4 to 9.9; what none of them fits keeps the client's own words.
enum SSHDiagnosis {
  /// - Parameter said: the client's standard error.
  static func failure(_ said: String, name: String, options: SSHOptions) -> ConnectionFailure {
    let lines = said.split(whereSeparator: \.isNewline).map { $0.trimmingASCIIWhitespace }
      .filter { !$0.isEmpty }
    func line(_ texts: String...) -> String? {
      lines.first { line in texts.contains { line.contains($0) } }.map { String($0) }
    }
    func failure(
      _ obstacle: ConnectionFailure.Obstacle, _ what: String, _ evidence: String, _ hint: String
    ) -> ConnectionFailure {
      ConnectionFailure(
        .unreachable(obstacle), "\(name): \(what)", evidence: evidence, hint: hint)
    }
    if line("REMOTE HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested") != nil {
      let remedy = line("ssh-keygen -f", "ssh-keygen -R").map { " if so: \($0)" } ?? ""
      return failure(
        .hostKeyChanged, "its host key is not the one that is known", line("Offending") ?? "",
        "another machine may be answering; or was the board installed anew?\(remedy)")
    }
    if let text = line("Host key verification failed", "host key is known for") {
      return failure(
        .hostKeyUnknown, "its host key is not known", line("host key is known for") ?? text,
        "log in once by 'ssh \(login(options))' and look at the key, or set 'host-key: accept-new'")
    }
    if let text = line("Permission denied (", "Too many authentication failures") {
      // What comes before tells why a key was not even tried.
      let cause = line(
        "UNPROTECTED PRIVATE KEY FILE", "no such identity", "Load key", "sign_and_send_pubkey")
      return failure(
        .notAdmitted, "it does not let \(options.user ?? "this user") in",
        [cause, text].compactMap(\.self).joined(separator: "; "),
        admission(cause, text, options)
          + (options.user == nil ? "; another user is named by 'user'" : ""))
    }
    if let text = line("Could not resolve hostname") {
      return failure(.unknownHost, "nobody knows this host", text, "check the name")
    }
    if let text = line("Connection refused") {
      return failure(
        .refused, "nothing listens there", text,
        "is the SSH server running, and on this port?")
    }
    if let text = line(
      "No route to host", "Network is unreachable", "timed out", "Host is down", "Timeout")
    {
      return failure(
        .noAnswer, "no answer", text, "is it switched on and on this network?")
    }
    if let text = line(
      "no matching", "Protocol major versions differ", "Bad configuration option",
      "Unsupported option", "no such option")
    {
      return failure(
        .incompatible, "this ssh client and its server do not come together", text,
        "allow older methods for this host in ~/.ssh/config, such as HostKeyAlgorithms or "
          + "KexAlgorithms")
    }
    let words = lines.joined(separator: "; ")
    return failure(
      .closed, "it closed the connection before the login was done",
      String(words.suffix(500)),
      words.isEmpty ? "" : "'ssh -v \(login(options))' says more")
  }

  private static func admission(
    _ cause: String?, _ text: String, _ options: SSHOptions
  ) -> String {
    if let key = options.key, cause?.contains("UNPROTECTED") == true { return "chmod 600 '\(key)'" }
    if options.password != nil, text.contains("password") || text.contains("interactive") {
      return "is the password that 'password-from' names the right one?"
    }
    if text.contains("publickey") {
      return options.key.map {
        "is \($0).pub in its authorized_keys? a key with a passphrase needs an agent"
      }
        ?? "load a key into an agent or name one by 'key'"
        + (text.contains("password") ? "; a password comes by 'password-from'" : "")
    }
    return "give a password by 'password-from'"
  }

  private static func login(_ options: SSHOptions) -> String {
    let port = options.port.map { $0 == 22 ? "" : "-p \($0) " } ?? ""
    return port + (options.user.map { "\($0)@" } ?? "") + options.host
  }
}
