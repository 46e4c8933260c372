internal import KelvinModel

/// The options of a choice as drivers read them. They have been validated against the declaration, so
/// a missing one is a default or a mistake that the driver names.
struct DriverOptions {
  let values: [String: Value]

  init(_ choice: DriverChoice, _ declaration: Declaration) {
    values = declaration.options.withDefaults(choice.options)
  }

  func text(_ name: String) -> String? { values[name]?.text }
  func integer(_ name: String) -> Int? { values[name]?.integer.flatMap { Int(exactly: $0) } }
  func flag(_ name: String) -> Bool { values[name]?.boolean ?? false }
  func words(_ name: String) -> [String]? { values[name]?.list?.map(\.display) }
  func map(_ name: String) -> [String: Value]? { values[name]?.map }

  /// The text, which must be there.
  func required(_ name: String) throws(PowerFailure) -> String {
    guard let text = text(name), !text.isEmpty else {
      throw PowerFailure(.configuration, "'\(name)' is missing")
    }
    return text
  }
}

/// A number of one of several outputs, from 1 as on the case.
extension OptionDeclaration {
  static func output(_ name: String, of range: ClosedRange<Double>) -> OptionDeclaration {
    OptionDeclaration(
      name, .integer, default: 1, range: range, "Which of its outputs, from 1 as on the case.")
  }
}
