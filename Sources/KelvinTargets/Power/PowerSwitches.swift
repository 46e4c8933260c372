public import KelvinModel

/// The switches that are built in.
public enum PowerSwitches {
  /// In alphabetical order of their names.
  public static let builtIn: [any PowerSwitch.Type] = [
    CommandSwitch.self, DevantechSwitch.self, GPIOSwitch.self, HTTPSwitch.self, LCUSSwitch.self,
    PDUDaemonSwitch.self, QMPSwitch.self, SerialLineSwitch.self, ShellySwitch.self,
    TasmotaSwitch.self
  ]

  /// What a bench file may name under `power`, or under `reset`: what cuts a board's power also holds
  /// it in reset, with `off` for held and `on` for released.
  public static func declarations(
    _ kind: Declaration.Kind = .power, of switches: [any PowerSwitch.Type] = builtIn
  ) -> [Declaration] {
    switches.map { type in
      let base = type.declaration
      return Declaration(
        kind, base.name, aliases: base.aliases, summary: base.summary,
        description: base.description, options: base.options, metrics: base.metrics,
        verified: base.verified)
    }
  }
}
