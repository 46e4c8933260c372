/// A program that a workload needs on the target, and where it comes from.
public struct Requirement: Sendable, Hashable {
  /// Its name on the target's PATH, or among the assets.
  public var program: String
  /// The Debian package that has it; nil when none has.
  public var package: String?
  /// Where its source is, for programs that Debian lacks.
  public var source: String

  /// Names a program.
  public init(_ program: String, package: String? = nil, source: String = "") {
    self.program = program
    self.package = package
    self.source = source
  }

  /// What to do when it is missing.
  var hint: String {
    if let package { return "on Debian: apt-get install \(package)" }
    if program.contains("/") {
      return "the path is one on the target; to bring a file of this host, list it in 'files'"
    }
    let place = "put a binary into ~/.config/kelvin/assets/<abi>/"
    if source.isEmpty { return "install it there, or \(place)" }
    return "Debian has no package of it; build it from \(source) and \(place)"
  }
}
