internal import KelvinModel

/// The scripts that a connection sends: POSIX shell, tried with dash, bash, busybox ash and mksh.
///
/// Names that begin with `kelvin_` are the connection's own. In every shell that a prelude has
/// prepared, descriptor 7 is standard error, and 2 takes what the shell itself has to say.
enum ShellScript {
  /// A function that looks a program up as execvp(3) does: `kelvin_path` is where it is, empty when
  /// it is nowhere; then `kelvin_plain` is set when there is a file that is not executable.
  static let find = """
    kelvin_find() { kelvin_path=; kelvin_plain=
    case $1 in */*) kelvin_try "$1"; return;; esac
    kelvin_ifs=$IFS; IFS=:
    for kelvin_d in $PATH; do kelvin_try "${kelvin_d:-.}/$1" && break; done
    IFS=$kelvin_ifs; }
    kelvin_try() { [ -f "$1" ] || return 1; kelvin_plain=x
    [ -x "$1" ] && kelvin_path=$1; }
    """

  /// Tells a command that was killed from one that exits with the same number above 128.
  ///
  /// A shell says nothing of a command that exits, and names the signal of one that was killed,
  /// except SIGINT and SIGPIPE, on its own standard error. That becomes a pipe which the shell reads
  /// itself: the one that holds a here-document, opened once more for writing. mksh has a file without
  /// a name for it, which must not be cut. Where neither works, `kelvin_end` answers `u`, unknown; else
  /// `e`, exited, or `s`, signaled.
  ///
  /// A command is run as `(exec ...)`: dash redirects for a simple command in itself, and would speak
  /// where the command's own errors go.
  static let signals = """
    kelvin_told=
    if (exec 8<<KELVIN 9>>/proc/self/fd/8 && IFS= read -r kelvin_word <&8 && [ "$kelvin_word" = . ]
    .
    KELVIN
    ) 2>/dev/null; then
    exec 8<<KELVIN 9>>/proc/self/fd/8 7>&2
    .
    KELVIN
    IFS= read -r kelvin_word <&8; exec 2>&9 9>&-; kelvin_told=x
    else exec 7>&2 8</dev/null 2>/dev/null; fi
    kelvin_end() { kelvin_word=u; [ "$kelvin_told" ] || return 0; kelvin_word=e; echo . >&2
    while IFS= read -r kelvin_line <&8 && [ "$kelvin_line" != . ]; do kelvin_word=s; done; }
    """

  /// Has `exec "$@"` begin a program in every shell: mksh runs commands of its own there, which cat and
  /// echo are too, and ends with them.
  static let noBuiltin =
    "case ${KSH_VERSION:+$1} in \"\"|*[=/]*) ;; *) command -v env >/dev/null && set -- env \"$@\";; esac"

  /// Names a boot of the target: process ids of another boot are others' (random(4)).
  static let bootIDFile = "/proc/sys/kernel/random/boot_id"

  /// A script that does nothing when the target has booted since.
  ///
  /// - Parameter bootID: of the boot that is meant; empty when it is not known.
  static func inBoot(_ bootID: String, _ script: String) -> String {
    guard !bootID.isEmpty else { return script }
    return """
      IFS= read -r kelvin_b <\(bootIDFile); if [ "$kelvin_b" = \(ShellWords.quote(bootID)) ]; then
      \(script)
      fi
      """
  }

  /// What a persistent shell runs first: it leaves its /proc/PID/stat in `kelvin_stat`, and the boot
  /// in `kelvin_boot`.
  ///
  /// Tools answer in the language in which their errors are read; commands get their own back.
  static func prelude(environment: [String: String], marker: String) -> String {
    """
    \(find)
    \(signals)
    \(ShellValues.functions)
    kelvin_had=${LC_ALL+x}; kelvin_lc=${LC_ALL-}; export LC_ALL=C
    \(exports(environment))
    export \(marker)
    kelvin_stat=; kelvin_boot=; { IFS= read -r kelvin_stat </proc/$$/stat
    IFS= read -r kelvin_boot <\(bootIDFile); } 2>/dev/null
    """
  }

  /// A script of the connection's own, framed: trailers with its status end both streams.
  ///
  /// - Parameter hasErrors: whether its standard error is wanted; else nothing ends that.
  static func framed(_ script: String, nonce: String, hasErrors: Bool = true) -> String {
    let trailer = "printf '\\036%s %d\\n' \(nonce) $kelvin_status"
    return
      "{ \(script)\n} </dev/null 2>\(hasErrors ? "&7" : "/dev/null"); kelvin_status=$?; \(trailer)"
      + (hasErrors ? "; \(trailer) >&7\n" : "\n")
  }

  /// Runs a command in a prepared shell, framed. The word in the trailers is that of `kelvin_end`,
  /// or `d`, no such directory, `m`, program missing, `f`, not executable.
  static func short(_ command: Command, nonce: String) -> String {
    let output = command.standardOutput == .discard ? " >/dev/null" : ""
    let error = command.standardError == .discard ? "2>/dev/null" : "2>&7"
    // Whether a program is missing is looked up only when something went wrong: status 126 or 127.
    return """
      kelvin_set() {
      if [ "$kelvin_had" ]; then LC_ALL=$kelvin_lc; else unset LC_ALL; fi
      \(exports(command.environment))
      \(directory(of: command, otherwise: "return 1"))
      :
      }
      kelvin_run() {
      kelvin_set || exit 126
      set -- \(ShellWords.join(command.argv))
      \(noBuiltin)
      exec "$@"
      }
      (kelvin_run \(error) 7>&- 8<&-) </dev/null\(output)
      kelvin_status=$?
      kelvin_end
      case $kelvin_status in 126|127) kelvin_word=$(kelvin_set || { echo d; exit; }
      kelvin_find \(ShellWords.quote(command.argv[0]))
      if [ "$kelvin_path" ]; then echo $kelvin_word; elif [ "$kelvin_plain" ]; then echo f
      else echo m; fi);; esac
      printf '\\036%s %d %s\\n' \(nonce) $kelvin_status $kelvin_word
      printf '\\036%s %d %s\\n' \(nonce) $kelvin_status $kelvin_word >&7

      """
  }

  /// Runs a command in a shell of its own: checks that it can run, gives it a session and its
  /// scheduling, says so on both streams with the process's identity, waits for a line on standard
  /// input, and after the command ends both streams with trailers as ``short(_:nonce:)`` does: a
  /// link that breaks is never taken for an end.
  static func started(
    _ command: Command, environment: [String: String], marker: String, nonce: String
  ) -> String {
    let tools = scheduling(of: command)
    let needed = tools.map { "'\($0[0])'" }.joined(separator: " ")
    let program = ShellWords.quote(command.argv[0])
    var redirections = command.standardInput == .null ? " </dev/null" : ""
    if command.standardOutput == .discard { redirections += " >/dev/null" }
    if command.standardError == .discard { redirections += " 2>/dev/null" }
    // nice(1) goes on without the niceness when it is not permitted.
    let niceCheck =
      command.niceness.map {
        "[ \"$(nice)\" = \($0) ] || { printf \"%s nice\\n\" \(nonce) >&2; exit 126; }; "
      } ?? ""
    // Its process id becomes the command's.
    let inner =
      niceCheck + "kelvin_stat=; kelvin_boot=; { IFS= read -r kelvin_stat </proc/$$/stat; "
      + "IFS= read -r kelvin_boot <\(bootIDFile); } 2>/dev/null; "
      + "printf \"%s ready %d %s %s\\n\" \(nonce) $$ \"${kelvin_boot:--}\" \"$kelvin_stat\"; "
      + "printf \"%s ready\\n\" \(nonce) >&2; "
      + "IFS= read -r kelvin_go || exit 125; unset kelvin_go kelvin_stat kelvin_boot; \(noBuiltin); "
      + "exec \"$@\"" + redirections
    // One compound command: the shell has read all of it before it runs any of it, and so leaves
    // the standard input that follows to the command.
    return """
      {
      \(find)
      \(exports(environment.merging(command.environment) { _, new in new }))
      \(directory(of: command, otherwise: "printf '%s directory\\n' \(nonce) >&2; exit 126"))
      for kelvin_tool in \(needed); do kelvin_find $kelvin_tool; [ "$kelvin_path" ] || {
      printf '%s tool %s\\n' \(nonce) $kelvin_tool >&2; exit 127; }; done
      kelvin_setsid=; kelvin_find setsid; [ "$kelvin_path" ] && kelvin_setsid=setsid
      kelvin_find \(program)
      [ "$kelvin_path" ] || { [ "$kelvin_plain" ] && printf '%s forbidden\\n' \(nonce) >&2
      printf '%s missing\\n' \(nonce) >&2; exit 127; }
      export \(marker)
      \(signals)
      (exec $kelvin_setsid \(tools.joined().joined(separator: " ")) sh -c \(ShellWords.quote(inner)) \
      sh \(ShellWords.join(command.argv)) 2>&7 7>&- 8<&-)
      kelvin_status=$?
      kelvin_end
      printf '\\036%s %d %s\\n' \(nonce) $kelvin_status $kelvin_word
      printf '\\036%s %d %s\\n' \(nonce) $kelvin_status $kelvin_word >&7
      exit $kelvin_status
      }

      """
  }

  static func exports(_ environment: [String: String]) -> String {
    environment.sorted { $0.key < $1.key }
      .map { "export \($0.key)=\(ShellWords.quote($0.value))" }.joined(separator: "\n")
  }

  private static func directory(of command: Command, otherwise: String) -> String {
    guard let directory = command.workingDirectory else { return "" }
    return "cd -- \(ShellWords.quote(directory.string)) 2>/dev/null || { \(otherwise); }"
  }

  /// Tools of the target, with their arguments, that set a command's scheduling and run the rest.
  static func scheduling(of command: Command) -> [[String]] {
    var tools: [[String]] = []
    if let cpus = command.affinity {
      var mask = [UInt64](repeating: 0, count: 128)
      for cpu in cpus where cpu >= 0 && cpu < 8192 { mask[cpu / 64] |= 1 << UInt64(cpu % 64) }
      let words = Array(mask.reversed().drop { $0 == 0 })
      let hex = words.enumerated().map { index, word in
        let digits = String(word, radix: 16)
        return index == 0 ? digits : String(repeating: "0", count: 16 - digits.count) + digits
      }.joined()
      tools.append(["taskset", hex.isEmpty ? "0" : hex])
    }
    if let niceness = command.niceness { tools.append(["nice", "-n", "\(niceness)"]) }
    if let priority = command.realtimePriority { tools.append(["chrt", "-f", "\(priority)"]) }
    return tools
  }
}
