internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// A path on a target whose components may be shell patterns:
/// `/sys/class/hwmon/hwmon*/temp?_input`.
struct PathPattern: Sendable, Hashable {
  let text: String

  var isPattern: Bool { PathPattern.isPattern(text) }

  /// The paths that match now, sorted by component; one listing for each directory on the way.
  ///
  /// A path without a pattern stands for itself, whether it is there or not. Links are followed.
  /// At most 4,096 paths.
  /// - Throws: only when the link failed or time is over.
  func resolve(
    _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath] {
    guard isPattern else { return [TargetPath(text)] }
    var bases: [TargetPath] = [text.hasPrefix("/") ? "/" : "."]
    let components = text.split(separator: "/").map(String.init)
    for (index, component) in components.enumerated() {
      guard PathPattern.isPattern(component) else {
        bases = bases.map { $0.appending(component) }
        continue
      }
      var next: [TargetPath] = []
      for base in bases {
        // With the slash at its end a link to a directory is the directory.
        let names = try await connection.entries(of: base.appending(""), until: deadline)
        for name in names where fnmatch(component, name, FNM_PERIOD) == 0 && next.count < 4096 {
          next.append(base.appending(name))
        }
      }
      bases = next
      // What follows without a pattern may not be there for each of them.
      if components[(index + 1)...].allSatisfy({ !PathPattern.isPattern($0) }) {
        let rest = components[(index + 1)...]
        let paths = bases.map { base in rest.reduce(base) { $0.appending($1) } }
        guard !rest.isEmpty else { return paths }
        let contents = try await connection.read(paths, until: deadline)
        return zip(paths, contents).filter { _, content in
          if case .failure(.notFound) = content { false } else { true }
        }.map(\.0)
      }
    }
    return bases
  }

  private static func isPattern(_ text: String) -> Bool {
    text.contains { $0 == "*" || $0 == "?" || $0 == "[" }
  }
}
