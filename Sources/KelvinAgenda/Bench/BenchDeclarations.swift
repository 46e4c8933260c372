public import KelvinModel

/// The drivers that a bench file may name; passed in by whoever knows built-ins and plug-ins.
///
/// Names are found as in agendas: case does not count, and `-` and `_` are the same.
public struct BenchDeclarations: Sendable {
  /// The problem with a regular expression, nil when it is fine.
  public let checkPattern: @Sendable (String) -> String?
  private let byKind: [Declaration.Kind: Drivers]

  /// What exists of one kind.
  struct Drivers: Sendable {
    let declarations: [Declaration]
    let index: NameIndex

    init(_ declarations: [Declaration]) {
      self.declarations = declarations
      index = NameIndex(declarations)
    }

    subscript(name: String) -> Declaration? { index[name].map { declarations[$0] } }
  }

  /// The kinds of drivers, in the order in which a board's entry has them.
  public static let kinds: [Declaration.Kind] = [
    .connection, .console, .bootloader, .power, .reset, .link, .meter
  ]

  /// Collects what exists; declarations of other kinds are left out.
  ///
  /// - Parameter checkPattern: called for each distinct regular expression that an option holds;
  ///   gives the problem's text or nil.
  public init(
    _ declarations: [Declaration],
    checkPattern: @escaping @Sendable (String) -> String? = { _ in nil }
  ) {
    self.checkPattern = checkPattern
    var byKind: [Declaration.Kind: Drivers] = [:]
    for kind in BenchDeclarations.kinds {
      var found = declarations.filter { $0.kind == kind }
      // Whatever switches a supply can switch a reset line, or a link, as well.
      if kind == .reset || kind == .link { found += declarations.filter { $0.kind == .power } }
      byKind[kind] = Drivers(found)
    }
    self.byKind = byKind
  }

  /// The drivers that an entry of this kind may name.
  public func drivers(of kind: Declaration.Kind) -> [Declaration] {
    byKind[kind]?.declarations ?? []
  }

  /// The driver with this name or alias; nil when there is none of this kind.
  public func driver(_ kind: Declaration.Kind, named name: String) -> Declaration? {
    byKind[kind]?[name]
  }

  /// What to write instead of a name that is no driver of this kind.
  func hint(for name: String, _ kind: Declaration.Kind) -> String {
    guard let drivers = byKind[kind], !drivers.declarations.isEmpty else {
      return "no driver for this is built in yet"
    }
    let others = BenchDeclarations.kinds.filter { $0 != kind && driver($0, named: name) != nil }
    if let other = others.first {
      let article = other == .power ? "for" : "a"
      return "this is \(article) \(other.rawValue); \(kind.rawValue) takes "
        + drivers.index.names.joined(separator: ", ")
    }
    let hint = NearestName.hint(for: name, in: drivers.index.allNames)
    let list = [.power, .reset, .link].contains(kind) ? kind.rawValue : kind.rawValue + "s"
    return hint.isEmpty ? "'kelvin list \(list)' lists them" : hint
  }

  /// As the checker of agendas takes them.
  var forChecker: Declarations {
    Declarations(workloads: [], instruments: [], outputs: [], checkPattern: checkPattern)
  }
}
