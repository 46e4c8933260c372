internal import Glibc
internal import KelvinModel

/// The names in directories of configuration.
enum DirectoryListing {
  /// YAML files (`.yaml`, `.yml`), sorted by name, without hidden ones; at most 10,000 are looked at.
  ///
  /// - Throws: when the directory cannot be read; one that does not exist is empty.
  static func yamlFiles(in directory: String) throws(Errno) -> [String] {
    guard let stream = opendir(directory) else {
      let error = Errno.current
      if error == .notFound || error == Errno(ENOTDIR) { return [] }
      throw error
    }
    defer { closedir(stream) }
    var names: [String] = []
    while names.count < 10_000, let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let name, !name.hasPrefix("."), name.hasSuffix(".yaml") || name.hasSuffix(".yml")
      else { continue }
      names.append(name)
    }
    return names.sorted()
  }
}
