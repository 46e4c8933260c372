public import KelvinModel

/// Settings as they are written on a command line: `governor=performance`.
public enum SettingArguments {
  /// Reads and checks them as an agenda's `runtime_params`.
  ///
  /// - Throws: every mistake at once.
  public static func read(
    _ arguments: [String], declarations: Declarations
  ) throws(ConfigurationFailure) -> [JobSpec.Setting] {
    var checker = ValueChecker(declarations)
    var settings: [JobSpec.Setting] = []
    var seen: Set<String> = []
    for (index, argument) in arguments.enumerated() {
      let place = SourceLocation(file: "argument \(index + 1)")
      guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
        checker.diagnostics.error(place, "\(LocatedValue.quoted(argument)): expected NAME=VALUE")
        continue
      }
      let written = String(argument[..<equals])
      guard let name = SettingName(written, in: declarations.settings.declarations),
        let declaration = declarations.settings[name]
      else {
        checker.diagnostics.error(
          place, "unknown setting \(LocatedValue.quoted(written))",
          hint: declarations.settings.hint(for: written))
        continue
      }
      guard seen.insert(name.description).inserted else {
        checker.diagnostics.error(place, "'\(name)' is written twice", hint: "remove one of them")
        continue
      }
      let text = String(argument[argument.index(after: equals)...])
      do {
        let document = try YAMLDocument(text: text, file: place.file, limits: .init())
        guard let root = document.root else {
          checker.diagnostics.error(place, "'\(name)': no value", hint: "write \(name)=VALUE")
          continue
        }
        for diagnostic in document.diagnostics { checker.diagnostics.add(diagnostic) }
        if let value = checker.value(root, of: declaration.option, as: "setting") {
          settings.append(.init(name.description, value))
        }
      } catch {
        checker.diagnostics.add(error.diagnostic)
      }
    }
    for problem in declarations.settings.conflicts(settings) {
      checker.diagnostics.error(
        SourceLocation(file: "arguments"), "\(problem.setting): \(problem.message)",
        hint: problem.hint)
    }
    let found = checker.diagnostics.sorted(files: [])
    guard !found.contains(where: { $0.severity == .error }) else {
      throw ConfigurationFailure(found)
    }
    return settings
  }
}
