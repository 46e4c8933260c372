internal import Glibc
public import KelvinModel

/// Finds the files that describe the bench.
public enum BenchFiles {
  /// The files to read together: the one chosen; else `bench.yaml` and then `bench.d/*.yaml` in the
  /// working directory, then the same in the user's configuration, as far as they exist.
  ///
  /// - Parameters:
  ///   - chosen: given with `--bench`; it need not exist, so that reading says that it does not.
  ///   - directory: the working directory; empty: this process's, and paths stay relative.
  /// - Throws: when no file is found, or a directory cannot be read.
  public static func find(
    chosen: String? = nil, directory: String = "", environment: [String: String]
  ) throws(ConfigurationFailure) -> [String] {
    if let chosen { return [chosen] }
    var prefixes = [directory.isEmpty ? "" : directory + "/"]
    if let user = UserConfiguration.directory(environment) { prefixes.append(user + "/") }
    var found: [String] = []
    var resolved: Set<String> = []
    for prefix in prefixes {
      for path in [prefix + "bench.yaml"] + (try files(in: prefix + "bench.d"))
      where exists(path) && resolved.insert(resolve(path)).inserted {
        found.append(path)
      }
    }
    guard !found.isEmpty else {
      let places = prefixes.flatMap { ["\($0)bench.yaml", "\($0)bench.d/"] }
      throw ConfigurationFailure([
        Diagnostic(
          at: SourceLocation(file: prefixes[0] + "bench.yaml"),
          "no bench is described: looked for " + places.joined(separator: ", "),
          hint: "'kelvin bench scan' prints a bench.yaml to start from; --bench names one elsewhere"
        )
      ])
    }
    return found
  }

  private static func files(in directory: String) throws(ConfigurationFailure) -> [String] {
    do throws(Errno) {
      return try DirectoryListing.yamlFiles(in: directory).map { "\(directory)/\($0)" }
    } catch {
      throw ConfigurationFailure([
        Diagnostic(
          at: SourceLocation(file: directory), "the directory cannot be read: \(error)")
      ])
    }
  }

  /// Also of a link that leads nowhere, which is a mistake that reading tells.
  private static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  private static func resolve(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

/// Where a user's own configuration stands.
public enum UserConfiguration {
  /// `$XDG_CONFIG_HOME/kelvin`, by default `~/.config/kelvin`; nil when there is no home either.
  ///
  /// Relative paths are ignored, as the XDG Base Directory Specification says.
  public static func directory(_ environment: [String: String]) -> String? {
    if let chosen = environment["XDG_CONFIG_HOME"], chosen.hasPrefix("/") {
      return chosen + "/kelvin"
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    return home + "/.config/kelvin"
  }
}
