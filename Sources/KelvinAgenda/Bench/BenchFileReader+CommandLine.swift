internal import KelvinModel

// Meters that are declared on a command line.
extension BenchFileReader {
  /// What such a text is called where its mistakes are told.
  static let commandLineFile = "--meter"

  /// Reads one meter as a bench file would have it under `meters`; the name may be left out, then it is the
  /// driver's.
  mutating func read(commandLineMeter text: String) {
    let file = Self.commandLineFile
    let root: LocatedValue
    do throws(YAMLFailure) {
      guard text.utf8.count <= request.limits.bytesPerFile else {
        throw YAMLFailure(SourceLocation(file: file), "the text is too long")
      }
      let document = try YAMLDocument(text: text, file: file, limits: request.limits)
      for diagnostic in document.diagnostics { checker.diagnostics.add(diagnostic) }
      root = document.root ?? LocatedValue(.scalar(.init("")), at: SourceLocation(file: file))
    } catch {
      checker.diagnostics.add(error.diagnostic)
      return
    }
    guard let entries = root.map, let first = entries.first else {
      return refuseMeter(root)
    }
    if let driver = entries.first(where: { $0.key == "driver" }) {
      guard let name = driver.value.scalar?.text else { return refuseMeter(root) }
      return readNamed(LocatedValue.Entry(key: name, keyLocation: root.location, value: root))
    }
    guard entries.count == 1 else { return refuseMeter(root) }
    let options = first.value.map ?? []
    guard first.value.map != nil || first.value.isNull else { return refuseMeter(root) }
    if options.contains(where: { $0.key == "driver" }) { return readNamed(first) }
    let driver = LocatedValue.Entry(
      key: "driver", keyLocation: first.keyLocation,
      value: LocatedValue(.scalar(.init(first.key)), at: first.keyLocation))
    readNamed(
      LocatedValue.Entry(
        key: first.key, keyLocation: first.keyLocation,
        value: LocatedValue(.map([driver] + options), at: first.value.location)))
  }

  private mutating func readNamed(_ entry: LocatedValue.Entry) {
    read(
      LocatedValue(
        .map([
          .init(
            key: "meters", keyLocation: entry.keyLocation,
            value: LocatedValue(.map([entry]), at: entry.keyLocation))
        ]), at: entry.keyLocation))
  }

  private mutating func refuseMeter(_ value: LocatedValue) {
    checker.diagnostics.error(
      value.location, "expected one meter, found \(value.shortDescription)",
      hint: "write '{driver: DRIVER, OPTION: VALUE}' or 'DRIVER: {OPTION: VALUE}'; "
        + "'kelvin list meters' lists drivers")
  }
}
