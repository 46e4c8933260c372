internal import ArgumentParser
internal import KelvinConnections
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench udev`: the rules that let users of a bench open its equipment.
struct BenchUDevCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "udev",
    abstract: "Prints, installs or checks the udev rules for equipment.",
    discussion: """
      The rules give meters, relays, hubs, serial adapters, probes and Android devices to the user \
      at the seat (uaccess) and to the groups \(UDevRules.group) and \(UDevRules.serialGroup), \
      never to everybody, and name them in /dev/kelvin.

      EXAMPLES
        kelvin bench udev --check
        kelvin bench udev --check --format json
        sudo kelvin bench udev --install
        kelvin bench udev --print > \(UDevRules.fileName)
      """)

  enum Action: String, EnumerableFlag { case install, print, check }

  @Flag(exclusivity: .exclusive, help: "Install as root, print, or check what is installed.")
  var action: Action

  @Option(help: "Where rules are.", completion: .directory) var directory = UDevRules.directory

  @Option(help: "Print what --check finds as text or json.") var format = OutputFormat.text

  func validate() throws {
    guard format == .text || action == .check else {
      throw ValidationError("--format json: for --check only")
    }
  }

  func run() async throws {
    switch action {
    case .print: Terminal.standardOutput.write(UDevRules.text())
    case .install: try await install()
    case .check: try check()
    }
  }

  private func install() async throws {
    let file = UDevRulesFile(directory: directory)
    try file.install()
    Terminal.standardOutput.line("installed \(file.path)")
    guard directory == UDevRules.directory, UDevRules.isDaemonRunning else {
      Terminal.standardOutput.line("no udevd reads it now")
      return
    }
    // New rules are for new events: those of what is plugged in are asked for again.
    let subsystems = ["usb", "tty", "hidraw", "usbmisc", "gpio"]
    for words in [
      ["udevadm", "control", "--reload"],
      ["udevadm", "trigger", "--action=add"] + subsystems.map { "--subsystem-match=\($0)" },
      ["udevadm", "settle", "--timeout=10"]
    ] {
      let result = try await LocalConnection().execute(
        Command(words), until: .after(seconds: 20))
      guard result.isSuccess else {
        throw PlainFailure(
          .infrastructure, "\(words.joined(separator: " ")): failed",
          evidence: result.standardError.text, hint: "the rules hold after the next boot")
      }
    }
    Terminal.standardOutput.line("udevd has read it, and what is plugged in was handled again")
  }

  /// One thing that is looked at.
  private struct Finding {
    /// `rules`, `udevd`, `group plugdev`.
    var subject: String
    var isOK: Bool
    var detail: String
    /// What to do about it; also where it is well, since not everybody needs a group.
    var hint = ""

    var text: String {
      (isOK ? "ok        " : "not ok    ") + detail + (hint.isEmpty ? "" : "; \(hint)")
    }
    /// As that of a step of `kelvin bench check`.
    var value: Value {
      [
        "subject": .text(subject), "result": isOK ? "ok" : "failed", "detail": .text(detail),
        "hint": .text(hint)
      ]
    }
  }

  private func check() throws {
    let findings =
      [rulesFinding, daemonFinding] + [UDevRules.group, UDevRules.serialGroup].map(finding)
    switch format {
    case .text: for finding in findings { Terminal.standardOutput.line(finding.text) }
    case .json: Terminal.standardOutput.line(Value.list(findings.map(\.value)).json)
    }
    if findings.contains(where: { !$0.isOK }) { throw CommandExit.jobNotOK }
  }

  private var rulesFinding: Finding {
    let file = UDevRulesFile(directory: directory)
    let install = "run 'kelvin bench udev --install' as root"
    return switch file.state {
    case .installed: Finding(subject: "rules", isOK: true, detail: "\(file.path): installed")
    case .missing:
      Finding(
        subject: "rules", isOK: false, detail: "\(file.path): not installed", hint: install)
    case .different:
      Finding(
        subject: "rules", isOK: false,
        detail: "\(file.path): of another version of Kelvin, or edited", hint: install)
    }
  }

  private var daemonFinding: Finding {
    let runs = UDevRules.isDaemonRunning
    return Finding(
      subject: "udevd", isOK: runs,
      detail: runs ? "udevd: runs" : "udevd: does not run here, so nobody reads the rules")
  }

  private func finding(of group: String) -> Finding {
    let subject = "group \(group)"
    return switch UDevGroups.state(of: group) {
    case .member: Finding(subject: subject, isOK: true, detail: "\(subject): this user may")
    case .notMember:
      // No fault: the seat's user needs no group.
      Finding(
        subject: subject, isOK: true, detail: "\(subject): this user is no member",
        hint: "away from the seat's screen, run 'usermod --append --groups \(group) USER' as root "
          + "and log in again")
    case .noSuchGroup:
      Finding(
        subject: subject, isOK: false, detail: "\(subject): does not exist",
        hint: "run 'groupadd --system \(group)' as root")
    }
  }
}
