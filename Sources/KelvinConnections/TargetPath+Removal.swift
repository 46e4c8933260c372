internal import KelvinModel

extension TargetPath {
  /// Refuses to remove what no name stands for: nothing, the root, a directory above another.
  func checkRemovable(connection: String) throws(ConnectionFailure) {
    let parts = string.split(separator: "/").filter { $0 != "." }
    if let last = parts.last, last != "..", !string.utf8.contains(0) { return }
    throw ConnectionFailure(
      .unsupported, "'\(string)': is not removed (\(connection))",
      hint: "name a file or a directory below the root")
  }
}
