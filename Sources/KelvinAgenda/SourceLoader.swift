internal import Glibc
internal import KelvinModel

/// Reads files with what they include into one value each, within the request's limits.
struct SourceLoader {
  let limits: AgendaRequest.Limits
  private(set) var sources: [Agenda.Source] = []
  /// Values that may still be read, over all files and every time that one is included.
  private var valuesLeft: Int
  /// By resolved path; nil for files that cannot be read.
  private var documents: [String: YAMLDocument?] = [:]

  /// A file in a chain of includes.
  private struct Link {
    var path: String
    var resolved: String
  }

  init(limits: AgendaRequest.Limits) {
    self.limits = limits
    valuesLeft = limits.values
  }

  /// A file's value with its includes merged in, null for an empty file; nil with the reason in
  /// `diagnostics`.
  mutating func load(_ path: String, into diagnostics: inout DiagnosticList) -> LocatedValue? {
    load(path, from: SourceLocation(file: path), depth: 0, chain: [], into: &diagnostics)
  }

  /// Frees the values of all files; what was read from them stays.
  mutating func forgetDocuments() { documents = [:] }

  private mutating func load(
    _ path: String, from place: SourceLocation, depth: Int, chain: [Link],
    into diagnostics: inout DiagnosticList
  ) -> LocatedValue? {
    let resolved = resolve(path)
    if let first = chain.firstIndex(where: { $0.resolved == resolved }) {
      let names = chain[first...].map(\.path) + [path]
      diagnostics.error(place, "the files include each other: " + names.joined(separator: " -> "))
      return nil
    }
    guard chain.count <= limits.includeDepth else {
      diagnostics.error(place, "files include each other more than \(limits.includeDepth) deep")
      return nil
    }
    if documents[resolved] == nil {
      let document = parse(path, from: place, into: &diagnostics)
      documents[resolved] = .some(document)
    }
    guard let document = documents[resolved] ?? nil else { return nil }
    let root =
      document.root ?? LocatedValue(.scalar(.init("")), at: SourceLocation(file: path))
    guard depth + document.height <= limits.nesting else {
      diagnostics.error(
        place, "with this file, lists and maps are nested more than \(limits.nesting) levels deep")
      return nil
    }
    valuesLeft -= max(1, document.valueCount)
    guard valuesLeft >= 0 else {
      diagnostics.error(
        place, "with this file, all files hold more than \(limits.values) values")
      return nil
    }
    guard document.hasIncludes else { return root }
    let chain = chain + [Link(path: path, resolved: resolved)]
    return expand(root, depth: depth, chain: chain, into: &diagnostics)
  }

  private mutating func parse(
    _ path: String, from place: SourceLocation, into diagnostics: inout DiagnosticList
  ) -> YAMLDocument? {
    if path.hasSuffix(".py") {
      diagnostics.error(
        place, "\(path): Python config files are not run",
        hint: "write the same as YAML: \"device = 'x'\" becomes \"device: x\", dict(a=1) becomes "
          + "{a: 1}")
      return nil
    }
    let isIncluded = place.line > 0
    let text: String
    do throws(SourceText.Refusal) {
      text = try SourceText.read(path, limit: limits.bytesPerFile)
    } catch {
      let inFile = SourceLocation(file: path, line: error.line)
      let message = isIncluded && error.line == 0 ? "\(path): \(error.message)" : error.message
      diagnostics.error(error.line > 0 ? inFile : place, message, hint: error.hint)
      return nil
    }
    do throws(YAMLFailure) {
      let document = try YAMLDocument(text: text, file: path, limits: limits)
      sources.append(
        Agenda.Source(path: path, content: SourceLoader.masked(text, document.secrets)))
      for diagnostic in document.diagnostics { diagnostics.add(diagnostic) }
      return document
    } catch {
      sources.append(Agenda.Source(path: path, content: ""))
      diagnostics.add(error.diagnostic)
      return nil
    }
  }

  /// Two names of one file resolve to the same path.
  private func resolve(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The text with secrets replaced, since what was read is kept in the store.
  private static func masked(_ text: String, _ secrets: [Range<Int>]) -> String {
    guard !secrets.isEmpty else { return text }
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    var position = 0
    for secret in secrets.sorted(by: { $0.lowerBound < $1.lowerBound })
    where secret.lowerBound >= position {
      let kept = rest.prefix(secret.lowerBound - position)
      result.append(contentsOf: kept)
      result.append(contentsOf: "'***'".unicodeScalars)
      rest = rest.dropFirst(secret.upperBound - position)
      position = secret.upperBound
    }
    result.append(contentsOf: rest)
    return String(result)
  }

  // MARK: includes

  private mutating func expand(
    _ value: LocatedValue, depth: Int, chain: [Link], into diagnostics: inout DiagnosticList
  ) -> LocatedValue {
    var value = value
    switch value.content {
    case .scalar: break
    case .list(var list):
      for index in list.indices where list[index].scalar == nil {
        list[index] = expand(list[index], depth: depth + 1, chain: chain, into: &diagnostics)
      }
      value.content = .list(list)
    case .map(let map):
      var own: [LocatedValue.Entry] = []
      var included: [LocatedValue.Entry] = []
      for var entry in map {
        if entry.key == YAMLDocument.includeKey {
          included = include(entry.value, depth: depth, chain: chain, into: &diagnostics)
        } else {
          if entry.value.scalar == nil {
            entry.value = expand(
              entry.value, depth: depth + 1, chain: chain, into: &diagnostics)
          }
          own.append(entry)
        }
      }
      value.content = .map(IncludeMerge.merge(included, under: own, into: &diagnostics))
    }
    return value
  }

  /// The merged entries of the files that `value` names; of two files the first named wins, as in
  /// WA.
  private mutating func include(
    _ value: LocatedValue, depth: Int, chain: [Link], into diagnostics: inout DiagnosticList
  ) -> [LocatedValue.Entry] {
    var result: [LocatedValue.Entry] = []
    for name in value.list ?? [value] {
      let path = diagnostics.collect { found in
        OptionType.path.validate(name, as: YAMLDocument.includeKey, into: &found)
      }
      guard let path = path?.text,
        let root = load(
          path, from: name.location, depth: depth, chain: chain, into: &diagnostics),
        !root.isNull
      else { continue }
      guard let map = root.map else {
        diagnostics.error(
          name.location, "\(path): an included file must hold a map, not \(root.shortDescription)")
        continue
      }
      result = IncludeMerge.merge(
        map, under: result, ownListsFirst: true, into: &diagnostics)
    }
    return result
  }
}
