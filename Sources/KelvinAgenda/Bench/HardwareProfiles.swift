internal import Glibc
public import KelvinModel

/// Finds and reads board and meter profiles.
public struct HardwareProfiles: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case board, meter

    /// Where profiles of this kind stand below a root.
    var directory: String { rawValue + "s" }
  }

  /// Directories that hold `boards` and `meters`; of two profiles with one name the first root's
  /// counts.
  public let roots: [String]
  private let checkPattern: @Sendable (String) -> String?

  /// Looks for profiles below these directories.
  ///
  /// - Parameter checkPattern: gives the problem with a regular expression, nil when it is fine.
  public init(
    roots: [String], checkPattern: @escaping @Sendable (String) -> String? = { _ in nil }
  ) {
    self.roots = roots
    self.checkPattern = checkPattern
  }

  /// The roots of a process: the user's own configuration, then what comes with Kelvin.
  ///
  /// The latter is `$KELVIN_HARDWARE`, else `hardware` in the nearest directory above the executable
  /// that has `hardware/boards`, else `/usr/share/kelvin/hardware`.
  public static func roots(environment: [String: String], executable: String) -> [String] {
    let own = UserConfiguration.directory(environment).map { [$0] } ?? []
    if let chosen = environment["KELVIN_HARDWARE"], !chosen.isEmpty { return own + [chosen] }
    var directory = executable
    while let slash = directory.lastIndex(of: "/") {
      directory = String(directory[..<slash])
      let hardware = directory + "/hardware"
      if access(hardware + "/boards", F_OK) == 0 { return own + [hardware] }
    }
    return own + ["/usr/share/kelvin/hardware"]
  }

  /// The names of all profiles of a kind, sorted.
  public func names(_ kind: Kind) -> [String] { Array(paths(kind).keys).sorted() }

  /// Every profile's file by name. A directory that cannot be read has none: what is missing then
  /// is said where a name is looked for.
  private func paths(_ kind: Kind) -> [String: String] {
    var result: [String: String] = [:]
    for root in roots {
      let directory = "\(root)/\(kind.directory)"
      for file in (try? DirectoryListing.yamlFiles(in: directory)) ?? [] {
        let name = String(file[..<(file.lastIndex(of: ".") ?? file.endIndex)])
        if result[name] == nil { result[name] = "\(directory)/\(file)" }
      }
    }
    return result
  }

  /// One board profile.
  ///
  /// - Throws: when there is none of this name, or with every mistake in it.
  public func board(named name: String) throws(ConfigurationFailure) -> BoardProfile {
    let path = try path(.board, name)
    return try read(path) { root, checker in
      BoardProfileReader(name: name).read(root, &checker)
    }
  }

  /// One meter profile.
  ///
  /// - Throws: when there is none of this name, or with every mistake in it.
  public func meter(named name: String) throws(ConfigurationFailure) -> MeterProfile {
    let path = try path(.meter, name)
    return try read(path) { root, checker in
      MeterProfileReader(name: name).read(root, &checker)
    }
  }

  /// Every board profile that can be read, sorted by name, and what is wrong with the others.
  public func boards() -> (profiles: [BoardProfile], diagnostics: [Diagnostic]) {
    all(.board) { name throws(ConfigurationFailure) in try board(named: name) }
  }

  /// Every meter profile that can be read, sorted by name, and what is wrong with the others.
  public func meters() -> (profiles: [MeterProfile], diagnostics: [Diagnostic]) {
    all(.meter) { name throws(ConfigurationFailure) in try meter(named: name) }
  }

  private func all<Profile>(
    _ kind: Kind, _ read: (String) throws(ConfigurationFailure) -> Profile
  ) -> ([Profile], [Diagnostic]) {
    var profiles: [Profile] = []
    var diagnostics: [Diagnostic] = []
    for name in names(kind) {
      do throws(ConfigurationFailure) {
        profiles.append(try read(name))
      } catch {
        diagnostics += error.diagnostics
      }
    }
    return (profiles, diagnostics)
  }

  private func path(_ kind: Kind, _ name: String) throws(ConfigurationFailure) -> String {
    let paths = paths(kind)
    if let path = paths[name] { return path }
    let directories = roots.map { "\($0)/\(kind.directory)" }.joined(separator: ", ")
    let nearest = NearestName.of(name, in: paths.keys.sorted())
    throw ConfigurationFailure([
      Diagnostic(
        at: SourceLocation(file: directories),
        "no \(kind.rawValue) profile is called \(LocatedValue.quoted(name))",
        hint: nearest.map { "did you mean '\($0)'?" }
          ?? "'kelvin list \(kind.directory)' lists them; KELVIN_HARDWARE names another directory")
    ])
  }

  private func read<Profile>(
    _ path: String, _ body: (LocatedValue, inout ValueChecker) -> Profile?
  ) throws(ConfigurationFailure) -> Profile {
    var loader = SourceLoader(limits: HardwareProfiles.limits)
    var checker = ValueChecker(
      Declarations(workloads: [], instruments: [], outputs: [], checkPattern: checkPattern))
    var profile: Profile?
    if let root = loader.load(path, into: &checker.diagnostics) {
      if root.isNull {
        checker.diagnostics.error(SourceLocation(file: path), "the profile is empty")
      } else {
        profile = body(root, &checker)
      }
    }
    let diagnostics = checker.diagnostics.sorted(files: loader.sources.map(\.path))
    guard let profile, !diagnostics.contains(where: { $0.severity == .error }) else {
      throw ConfigurationFailure(diagnostics)
    }
    return profile
  }

  /// Profiles are small.
  private static let limits = AgendaRequest.Limits(
    bytesPerFile: 1 << 20, values: 100_000, nesting: 20, includeDepth: 4)
}
