internal import Glibc

/// Where Kelvin keeps what outlives runs.
public enum StateDirectory {
  /// KELVIN_STATE where it is set; else `kelvin` below XDG_STATE_HOME, or below ~/.local/state
  /// (XDG base directory specification: a relative path is as good as none).
  public static func path() -> String {
    path(variable: { name in getenv(name).map { String(cString: $0) } }, home: homeOfAccount)
  }

  static func path(variable: (String) -> String?, home: () -> String?) -> String {
    if let path = variable("KELVIN_STATE"), !path.isEmpty { return path }
    if let base = variable("XDG_STATE_HOME"), base.hasPrefix("/") { return joined(base, "kelvin") }
    let home = variable("HOME").flatMap { $0.isEmpty ? nil : $0 } ?? home() ?? "/"
    return joined(home, ".local/state/kelvin")
  }

  private static func homeOfAccount() -> String? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwuid_r(geteuid(), &entry, &buffer, buffer.count, &found) == 0, found != nil,
      let home = entry.pw_dir
    else { return nil }
    return String(cString: home)
  }
}
