/// The switches that are built in.
public enum PowerSwitches {
  public static let builtIn: [any PowerSwitch.Type] = []
}
