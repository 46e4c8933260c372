internal import KelvinModel

// The ladder of recovery, and what each rung needs of its board.
extension BenchFileReader {
  /// Last of a board, when all that its rungs may need is known.
  mutating func readRecovery(
    _ value: LocatedValue, into board: inout BoardEntry, _ owner: String
  ) {
    guard let rungs = RecoveryReader(owner: owner).read(value, &checker) else { return }
    for (plan, location) in rungs {
      guard let (problem, hint) = board.obstacle(to: plan) else { continue }
      checker.diagnostics.error(
        location, "\(owner): recovery: \(plan.rung.rawValue): \(problem)", hint: hint)
    }
    board.recovery = RecoveryLadder(rungs.map(\.plan))
  }
}

extension BoardEntry {
  /// Why a rung of its own ladder cannot do anything; nil when it can.
  func obstacle(to plan: RungPlan) -> (problem: String, hint: String)? {
    switch plan.rung {
    case .reconnect, .reboot: return nil
    case .sysrq where console == nil:
      return ("it has no console", "give it one: 'console: {serial: {match: {...}}}'")
    case .reset where reset == nil: return ("it has no reset line", "add 'reset' to its entry")
    case .powerCycle where power == nil:
      return ("nothing switches its power", "add 'power' to its entry")
    case .powerCycle where power?.driver == "meter":
      return (
        "its power comes from a meter, which no run switches yet", "leave 'power_cycle' out"
      )
    case .bootloader where plan.rescue.run.isEmpty: return obstacle(to: plan.rescue)
    case .sysrq, .reset, .powerCycle, .bootloader: return nil
    }
  }

  private func obstacle(to rescue: RungPlan.Rescue) -> (problem: String, hint: String)? {
    guard let bootloader else {
      return (
        "its boot loader cannot be reached",
        "add 'bootloader' to its entry, or 'run', a command of this host"
      )
    }
    if bootloader.driver != "fastboot", !rescue.flash.isEmpty {
      return ("'flash' needs fastboot, and its boot loader is '\(bootloader.driver)'", "")
    }
    if bootloader.driver != "uboot", !rescue.commands.isEmpty || rescue.boot != "boot" {
      return (
        "'commands' and 'boot' are U-Boot's, and its boot loader is '\(bootloader.driver)'", ""
      )
    }
    return nil
  }
}
