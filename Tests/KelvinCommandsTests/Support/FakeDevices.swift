import Glibc
import KelvinConnections
import KelvinModel

/// The real binary among devices that are not there: umockdev gives a process a sysfs and a /dev of
/// its own, which libudev and all else in it take for real.
enum FakeDevices {
  static let directory =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Fixtures/devices"

  /// A tree's file.
  static func tree(_ name: String) -> String { "\(directory)/\(name).umockdev" }

  /// Runs kelvin in a tree.
  ///
  /// - Parameter denying: nodes that this user may not open then; as root, the user is nobody.
  static func run(_ name: String, _ arguments: [String], denying: [String] = []) async throws -> Ran
  {
    guard !denying.isEmpty else {
      return try await run(name, program: [KelvinBinary.path] + arguments)
    }
    // umockdev's own chmod would look beside the testbed.
    let script = "for node; do chmod 000 \"$UMOCKDEV_DIR$node\"; done; exec \(words(arguments))"
    // Root may open anything: another user is needed to be refused.
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return try await run(
      name, program: ["sh", "-c", script, "sh"] + denying, as: geteuid() == 0 ? user : [])
  }

  /// Runs a program in a tree.
  static func run(_ name: String, program: [String], as user: [String] = []) async throws -> Ran {
    Ran(
      try await LocalConnection().execute(
        Command(user + ["umockdev-run", "-d", tree(name), "--"] + program),
        until: .after(seconds: 30)))
  }

  /// Kelvin's command line for a shell.
  private static func words(_ arguments: [String]) -> String {
    ([KelvinBinary.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
  }
}
