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
        sudo kelvin bench udev --install
        kelvin bench udev --print > \(UDevRules.fileName)
      """)

  enum Action: String, EnumerableFlag { case install, print, check }

  @Flag(exclusivity: .exclusive, help: "Install as root, print, or check what is installed.")
  var action: Action

  @Option(help: "Where rules are.", completion: .directory) var directory = UDevRules.directory

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

  private func check() throws {
    let file = UDevRulesFile(directory: directory)
    var isGood = true
    func say(_ isOK: Bool, _ text: String) {
      isGood = isGood && isOK
      Terminal.standardOutput.line((isOK ? "ok        " : "not ok    ") + text)
    }
    switch file.state {
    case .installed: say(true, "\(file.path): installed")
    case .missing:
      say(false, "\(file.path): not installed; run 'kelvin bench udev --install' as root")
    case .different:
      say(
        false,
        "\(file.path): of another version of Kelvin, or edited; run 'kelvin bench udev --install' "
          + "as root")
    }
    say(
      UDevRules.isDaemonRunning,
      UDevRules.isDaemonRunning
        ? "udevd: runs" : "udevd: does not run here, so nobody reads the rules")
    for group in [UDevRules.group, UDevRules.serialGroup] {
      switch UDevGroups.state(of: group) {
      case .member: say(true, "group \(group): this user may")
      case .notMember:
        // No fault: the seat's user needs no group.
        say(
          true,
          "group \(group): this user is no member; away from the seat's screen, run "
            + "'usermod --append --groups \(group) USER' as root and log in again")
      case .noSuchGroup:
        say(false, "group \(group): does not exist; run 'groupadd --system \(group)' as root")
      }
    }
    if !isGood { throw CommandExit.jobNotOK }
  }
}
