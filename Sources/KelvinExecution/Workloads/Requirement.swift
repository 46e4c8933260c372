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
    let place = "put a binary into ~/.config/kelvin/assets/<abi>/"
    return source.isEmpty
      ? "install it there, or \(place)"
      : "Debian has no package of it; build it from \(source) and \(place)"
  }
}
