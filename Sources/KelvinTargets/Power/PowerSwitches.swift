/// The switches that are built in. Each also serves as a reset line: what cuts a board's power holds it
/// in reset just as well, `off` for held and `on` for released.
public enum PowerSwitches {
  /// In alphabetical order of their names.
  public static let builtIn: [any PowerSwitch.Type] = [
    CommandSwitch.self, DevantechSwitch.self, GPIOSwitch.self, HIDRelaySwitch.self,
    HTTPSwitch.self, LCUSSwitch.self, PDUDaemonSwitch.self, QMPSwitch.self, SerialLineSwitch.self,
    ShellySwitch.self, TasmotaSwitch.self, USBHubSwitch.self, YKUSHSwitch.self
  ]
}
