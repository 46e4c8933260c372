internal import Glibc
internal import KelvinModel

/// Scripts of root's on a console where another user has logged in: each becomes root by sudo or su.
///
/// The password is a script's input, which its first command removes from the board's files, and root's
/// shell has another input before it does anything. It is sent to an agent that has answered a moment
/// ago: what has taken its place, as a board does that restarts, would print it. The agent's terminal
/// prints nothing of what it reads.
struct ConsoleAscent {
  let access: RootAccess
  /// Of the connection, for messages.
  let name: String

  /// Runs a script where ``ConsoleLibrary`` can be read, as root.
  ///
  /// - Throws: `permissionDenied` when it does not become root; else as the channel does.
  func run(
    _ script: String, on channel: ConsoleChannel, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleReply {
    let password = try access.password?.read(for: name)
    if password != nil {
      // What the board's shell starts for printf has the password as an argument.
      let answer = try channel.run(
        "case $(command -v printf) in /*) exit 1;; esac", until: deadline)
      guard answer.status == 0 else {
        throw ConnectionFailure(
          .unsupported,
          "\(name): the board's shell has no printf of its own, so that a password would show among "
            + "its processes", hint: "log in as root, or let sudo ask for none")
      }
    }
    let nonce = ShellChannel.nonce()
    do throws(ConnectionFailure) {
      let reply = try channel.run(
        Array(words(for: script, nonce, channel.directory + "/l").utf8),
        input: password.map { $0 + [10] }, until: deadline)
      guard let output = rest(of: reply.output, behind: nonce),
        let error = rest(of: reply.error, behind: nonce)
      else { throw refusal(reply.error) }
      return ConsoleReply(
        status: reply.status, output: output, error: error,
        outputCount: reply.outputCount - reply.output.count + output.count,
        errorCount: reply.errorCount - reply.error.count + error.count)
    } catch {
      guard var partial = error.partial else { throw error }
      cut(&partial.standardOutput, nonce)
      cut(&partial.standardError, nonce)
      throw ConnectionFailure(error.code, error.message, hint: error.hint, partial: partial)
    }
  }

  /// What the agent runs.
  ///
  /// - Parameter library: the path that the script has as `$0`.
  func words(for script: String, _ nonce: String, _ library: String) -> String {
    // sudo closes the line, upon which scripts call.
    let text = """
      [ "$(id -u)" = 0 ] || exit; exec </dev/null; echo \(nonce); echo \(nonce) >&2
      LC_ALL=C KELVIN_LC=; export LC_ALL KELVIN_LC; kelvin_l=/dev/null
      { read -r kelvin_p <"${0%/*}/p" && : >/proc/$kelvin_p/fd/3 && kelvin_l=/proc/$kelvin_p/fd/3; } 2>/dev/null
      exec 3>$kelvin_l
      \(script)
      """
    let shell = "sh -c \(ShellWords.quote(text)) \(ShellWords.quote(library))"
    let begin = "rm -f ${0%/*}/i; "
    switch access.method {
    case .sudo:
      return begin + "exec sudo \(access.password == nil ? "-n" : "-k -S -p ''") -- \(shell)"
    case .su:
      // Android's own takes a user and a command, the others -c (as in RootAscent).
      return begin
        + "if [ -e /system/bin/app_process ] && [ \"$(su 0 id -u </dev/null 2>/dev/null)\" = 0 ]; "
        + "then exec su 0 \(shell); fi; exec su -c \(ShellWords.quote("exec " + shell))"
    }
  }

  /// What stands behind the line by which root's shell begins, whatever a lecture said before it.
  private func rest(of bytes: [UInt8], behind nonce: String) -> [UInt8]? {
    bytes.firstRange(of: Array((nonce + "\n").utf8)).map { Array(bytes[$0.upperBound...]) }
  }

  private func cut(_ output: inout CapturedOutput, _ nonce: String) {
    let bytes = rest(of: output.bytes, behind: nonce) ?? []
    let count = Int64(output.bytes.count - bytes.count)
    output.bytes = bytes
    output.totalBytes -= count
    output.keptBytes -= count
  }

  private func refusal(_ said: [UInt8]) -> ConnectionFailure {
    let words = String(decoding: said.suffix(2000), as: UTF8.self)
      .split(whereSeparator: \.isNewline).joined(separator: "; ")
    if words.contains("not found") || words.contains("No such file") {
      return ConnectionFailure(
        .unsupported, "\(name): the target has no '\(access.method)'", evidence: words,
        hint: "install it there, or log in as root")
    }
    return ConnectionFailure(
      .permissionDenied, "\(name): does not become root by \(access.method)", evidence: words,
      hint: access.password == nil
        ? "say by 'root-password-from' where the password is, or allow it without one"
        : "is it the right password, and may this user become root there?")
  }
}
