internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target packages`: what is installed on a board.
struct TargetPackagesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "packages",
    abstract: "Lists what a board has installed: a Linux' packages or an Android's apps.",
    discussion: """
      By dpkg-query, apk, opkg, rpm, or Android's pm.

      EXAMPLES
        kelvin target packages rock
        kelvin target packages rock openssl
        kelvin target packages phone com.example.app --format json

      EXIT CODES
        1 when the package that was named is not installed
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "This one alone, by its whole name.") var package: String?

  @Option(help: "How long it may take.") var timeout = "60 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let wanted = package
    let packages = try await target.withTarget(board, for: "packages", until: deadline) {
      target -> [Package] in
      guard let wanted else { return try await target.packages(until: deadline) }
      return [try await target.package(named: wanted, until: deadline)].compactMap(\.self)
    }
    if format == .json {
      Terminal.standardOutput.line(Value.list(packages.map(Self.value)).json)
    } else if !packages.isEmpty {
      TextTable(
        header: ["NAME", "VERSION", "FROM"], right: [],
        rows: packages.map { package in
          let version = package.version ?? package.versionCode.map { "(\($0))" } ?? ""
          return [package.name, version, package.architecture ?? package.path ?? ""].map(
            TextTable.printable)
        }
      ).print()
    }
    if let wanted, packages.isEmpty {
      Terminal.standardError.line("kelvin: \(board): no package '\(wanted)' is installed")
      throw CommandExit(code: 1)
    }
  }

  private static func value(_ package: Package) -> Value {
    var map: [String: Value] = ["name": .text(package.name)]
    if let version = package.version { map["version"] = .text(version) }
    if let code = package.versionCode { map["version_code"] = .integer(code) }
    if let architecture = package.architecture { map["architecture"] = .text(architecture) }
    if let path = package.path { map["path"] = .text(path) }
    return .map(map)
  }
}
