internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// How a user who is not root becomes root on a target.
package struct RootAccess: Sendable, Hashable {
  package enum Method: String, Sendable, Hashable { case sudo, su }

  package var method: Method
  /// Nil: none is needed there, or there is none.
  package var password: PasswordSource?

  /// Describes a way.
  package init(_ method: Method, password: PasswordSource? = nil) {
    self.method = method
    self.password = password
  }
}

/// Root's shells of a target: each begins as a shell of the user that another transport opens, and
/// becomes root's by sudo or su.
///
/// The password goes to standard input, and only when it was asked for: no shell that reads ahead, no
/// command and no log gets it, and it stands in no argument.
final class RootTransport: ShellTransport {
  private let base: any ShellTransport
  private let access: RootAccess

  init(_ base: any ShellTransport, _ access: RootAccess) {
    self.base = base
    self.access = access
  }

  var name: String { "\(base.name), as root" }
  var capabilities: Capabilities { base.capabilities }

  func open(until deadline: Deadline) throws(ConnectionFailure) -> any ShellLink {
    let link = try base.open(until: deadline)
    do {
      var ascent = RootAscent(access, name: base.name)
      try ascent.run(over: link, until: deadline)
    } catch {
      link.abandon()
      throw error
    }
    return link
  }

  /// The other transport is closed by whoever has it.
  func close() {}
}

/// The conversation by which a shell becomes root's.
struct RootAscent {
  private let access: RootAccess
  private let name: String
  private let nonce = ShellChannel.nonce()
  private var output: [UInt8] = []
  private var error: [UInt8] = []
  private var hasAnswered = false
  /// What is said after the password is not searched for what was said before it.
  private var searched = (output: 0, error: 0)

  init(_ access: RootAccess, name: String) {
    self.access = access
    self.name = name
  }

  mutating func run(
    over link: any ShellLink, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let password = try access.password?.read(for: name)
    try link.send(all: Array(script.utf8), until: deadline)
    while true {
      let event: ShellLinkEvent
      do {
        event = try link.receive(into: &output, error: &error)
      } catch {
        throw ConnectionFailure(error.code, "\(name): \(error.message)", hint: error.hint)
      }
      // Both streams, so that nothing of this conversation is taken for a command's output.
      if output.contains(line: nonce + " root"), error.contains(line: nonce + " root") { return }
      if error.contains(line: nonce + " not") {
        throw refusal("\(access.method) succeeds and gives another user than root")
      }
      if case .ended = event { throw refusal() }
      if asks {
        guard !hasAnswered else { throw refusal("the password was refused") }
        guard let password else {
          throw refusal("\(access.method) asks for a password, and none is known")
        }
        hasAnswered = true
        searched = (output.count, error.count)
        try link.send(all: password + [10], until: deadline)
      }
      guard output.count + error.count < 1 << 20 else {
        throw ConnectionFailure(.unsupported, "\(name): the shell prints without end")
      }
      switch link.wait(toSend: false, until: deadline) {
      case .ready: if deadline.hasPassed { fallthrough }
      case .passed:
        throw ConnectionFailure(
          .timedOut, "\(name): \(access.method) did not answer in time", evidence: said)
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
    }
  }

  /// Replaces the user's shell: should it fail, nothing is left that could take a password for a script.
  private var script: String {
    let asRoot = ShellWords.quote(
      "if [ \"$(id -u)\" = 0 ]; then echo \(nonce) root; echo \(nonce) root >&2; exec sh; fi; "
        + "echo \(nonce) not >&2")
    switch access.method {
    case .sudo:
      // -k: no credentials that are left from before count, and none are left; -S: standard input.
      let password = access.password == nil ? "-n" : "-k -S -p \(ShellWords.quote(nonce + " asks"))"
      return "exec sudo \(password) -- sh -c \(asRoot)\n"
    case .su:
      // Android's own takes a user and a command, the others -c (AOSP su.cpp; Magisk; su(1)). Prompts
      // are known in one language.
      return """
        { LC_ALL=C; export LC_ALL; if [ -e /system/bin/app_process ] && \
        [ "$(su 0 id -u </dev/null 2>/dev/null)" = 0 ]; then exec su 0 sh -c \(asRoot)
        else exec su -c \(asRoot); fi; }

        """
    }
  }

  /// Whether a password is asked for that was not answered yet.
  private var asks: Bool {
    switch access.method {
    case .sudo: error[searched.error...].contains(text: nonce + " asks")
    // On standard error by most, on standard output by busybox.
    case .su:
      error[searched.error...].contains(text: "assword:")
        || output[searched.output...].contains(text: "assword:")
    }
  }

  /// What was said, without the words of this conversation.
  private var said: String {
    String(decoding: (output + error).suffix(2000), as: UTF8.self)
      .split(separator: "\n").map { $0.replacing("\(nonce) asks", with: "") }
      .filter { !$0.contains(nonce) && !$0.isEmpty }.joined(separator: "; ")
  }

  private func refusal(_ what: String = "") -> ConnectionFailure {
    let words = said
    let isMissing =
      words.contains("not found") || words.contains("No such file")
      || words.contains("inaccessible")
    if what.isEmpty, isMissing {
      return ConnectionFailure(
        .unsupported, "\(name): the target has no '\(access.method)'", evidence: words,
        hint: "install it there, or connect as root")
    }
    let hint =
      access.password == nil
      ? "say by 'root-password-from' where the password is, or allow it without one"
      : "is it the right password, and may this user become root there?"
    return ConnectionFailure(
      .permissionDenied,
      "\(name): does not become root by \(access.method)" + (what.isEmpty ? "" : ": \(what)"),
      evidence: words, hint: hint)
  }
}

extension Collection where Element == UInt8, Self: BidirectionalCollection {
  /// Whether bytes hold a text.
  fileprivate func contains(text: String) -> Bool {
    String(decoding: self, as: UTF8.self).contains(text)
  }

  /// Whether a whole line ends with a text.
  fileprivate func contains(line: String) -> Bool { contains(text: line + "\n") }
}

extension RootAccess.Method: CustomStringConvertible {
  package var description: String { rawValue }
}

extension PasswordSource {
  func read(for name: String) throws(ConnectionFailure) -> [UInt8] {
    do throws(PlainFailure) { return try read() } catch {
      throw ConnectionFailure(
        .permissionDenied, "\(name): root-\(error.message)", hint: error.hint)
    }
  }
}
