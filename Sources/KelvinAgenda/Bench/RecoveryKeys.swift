public import KelvinModel

/// What each rung of `recovery` takes, declared once for reading and documentation.
public enum RecoveryKeys {
  /// The options of a rung.
  public static func options(of rung: Rung) -> [OptionDeclaration] {
    let own: [OptionDeclaration] =
      switch rung {
      case .reconnect, .reboot: []
      case .sysrq:
        [
          .init(
            "keys", .text, default: .text(RungPlan(.sysrq).keys),
            "SysRq's command keys, each behind a break: 'sub' syncs, remounts read-only, boots.")
        ]
      case .reset:
        [
          .init(
            "pulse", .quantity(.time, bare: "s"), default: .number(RungPlan(.reset).pulseSeconds),
            range: 0.001...60, "How long the line is held.")
        ]
      case .powerCycle:
        [
          .init(
            "off", .quantity(.time, bare: "s"), range: 0...3600,
            "How long power stays off, until what the board stores is discharged; default: as "
              + "'boot' says, 3 s.")
        ]
      case .bootloader: rescue
      }
    return own + [
      .init(
        "count", .integer, default: .integer(Int64(RungPlan.usualCount(rung))), range: 1...20,
        "How often it is tried."),
      .init(
        "timeout", .quantity(.time, bare: "s"), range: 0.1...86_400,
        rung == .reconnect
          ? "Within which the board must answer; default: 10 s."
          : "Within which the board must be up after each try; default: as 'boot' says, 3 min.")
    ]
  }

  private static let rescue: [OptionDeclaration] = [
    .init(
      "commands", .list(.text), default: [],
      "U-Boot's commands before the one that boots; each must succeed."),
    .init("boot", .text, default: "boot", "The command of U-Boot's that boots."),
    .init(
      "flash", .map(.path), default: [:],
      "By fastboot: images of this host, by the partition that each is written to."),
    .init("run", .argv, "A command of this host that brings the board back, instead of all that.")
  ]
}
