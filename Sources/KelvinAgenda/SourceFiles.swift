internal import CLinux
internal import Glibc
internal import KelvinModel

/// Loads files of configuration and what they include.
struct SourceFiles {
  let limits: YAMLLimits
  /// Every file as it was read, in the order of reading.
  private(set) var loaded: [(path: String, content: String)] = []
  var diagnostics: [Diagnostic] = []

  init(limits: YAMLLimits) { self.limits = limits }

  /// Reads a file with everything that it includes.
  ///
  /// - Parameter place: where the file is named; nil on the command line.
  mutating func load(_ path: String, namedAt place: SourceLocation? = nil) -> LocatedValue? {
    load(path, chain: [], namedAt: place)
  }

  private mutating func load(
    _ path: String, chain: [String], namedAt place: SourceLocation?
  ) -> LocatedValue? {
    let place = place ?? SourceLocation(file: path)
    if chain.contains(path) {
      diagnostics.append(
        Diagnostic(
          at: place,
          "this file includes itself: " + (chain + [path]).joined(separator: " -> ")))
      return nil
    }
    guard chain.count < limits.includeDepth else {
      diagnostics.append(
        Diagnostic(at: place, "more than \(limits.includeDepth) files include one another"))
      return nil
    }
    if path.hasSuffix(".py") {
      diagnostics.append(
        Diagnostic(
          at: place, "'\(path)' is a Python file, which is never executed",
          hint: "write its settings as YAML"))
      return nil
    }
    guard let bytes = read(path, place) else { return nil }
    loaded.append((path, String(decoding: bytes, as: UTF8.self)))
    let before = diagnostics.count
    let value = YAMLReader.read(bytes, file: path, limits: limits, into: &diagnostics)
    if value == nil, diagnostics.count == before { return nil }
    return value.map { resolveIncludes($0, chain: chain + [path]) }
  }

  private mutating func read(_ path: String, _ place: SourceLocation) -> [UInt8]? {
    func refuse(_ problem: String, hint: String = "") -> [UInt8]? {
      let message = place.file == path && place.line == 0 ? problem : "'\(path)': \(problem)"
      diagnostics.append(Diagnostic(at: place, message, hint: hint))
      return nil
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      return refuse("cannot be read: \(Errno.current)")
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: return refuse("is a directory", hint: "name a YAML file in it")
    default: return refuse("is no regular file", hint: "save it to a file first")
    }
    guard status.st_size <= limits.bytes else {
      return refuse(
        "is \(status.st_size >> 20) MiB, more than the \(limits.bytes >> 20) MiB that are read")
    }
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return refuse("cannot be read: \(Errno.current)") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(status.st_size))
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= limits.bytes {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return refuse("cannot be read: \(Errno.current)") }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      return refuse("is not UTF-8 text", hint: "convert it, e.g. with iconv -t UTF-8")
    }
    return bytes
  }

  // MARK: include#

  private mutating func resolveIncludes(_ value: LocatedValue, chain: [String]) -> LocatedValue {
    switch value.content {
    case .scalar: return value
    case .list(let elements):
      guard elements.contains(where: { $0.scalar == nil }) else { return value }
      return LocatedValue(
        .list(elements.map { resolveIncludes($0, chain: chain) }), at: value.location)
    case .map(let entries):
      var own: [LocatedValue.Entry] = []
      var included: [LocatedValue.Entry] = []
      for entry in entries {
        guard entry.key == "include#" else {
          var entry = entry
          entry.value = resolveIncludes(entry.value, chain: chain)
          own.append(entry)
          continue
        }
        for file in entry.value.list ?? [entry.value] {
          guard let name = file.scalar?.text, !name.isEmpty else {
            diagnostics.append(
              Diagnostic(at: file.location, "include#: expected a path or a list of paths"))
            continue
          }
          guard
            let content = load(
              relative(name, to: value.location.file), chain: chain, namedAt: file.location)
          else { continue }
          guard let map = content.map else {
            diagnostics.append(
              Diagnostic(at: file.location, "'\(name)': expected a map, found a list or a text"))
            continue
          }
          included = merge(map, over: included)
        }
      }
      return LocatedValue(.map(merge(own, over: included)), at: value.location)
    }
  }

  private func relative(_ path: String, to file: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }

  /// Entries of `strong` win over those of `weak`; maps are merged, lists of sections and workloads
  /// follow one another.
  private func merge(
    _ strong: [LocatedValue.Entry], over weak: [LocatedValue.Entry]
  ) -> [LocatedValue.Entry] {
    guard !weak.isEmpty else { return strong }
    var result = weak
    for entry in strong {
      guard let place = result.firstIndex(where: { $0.key == entry.key }) else {
        result.append(entry)
        continue
      }
      var merged = entry
      if let ours = entry.value.map, let theirs = result[place].value.map {
        merged.value.content = .map(merge(ours, over: theirs))
      } else if ["sections", "workloads"].contains(entry.key), let ours = entry.value.list,
        let theirs = result[place].value.list
      {
        merged.value.content = .list(theirs + ours)
      }
      result[place] = merged
    }
    return result
  }
}
