internal import KelvinModel

/// Files on their way to the target: each lies under its own name in a directory beside its place,
/// and is renamed from there. Pure.
struct StagedFiles {
  /// One directory of the target, and names in it.
  struct Place {
    /// Ends with a slash.
    let directory: String
    var names: [String] = []
    var modes: [UInt16] = []
  }

  private(set) var places: [Place] = []
  /// For each file its place and its index there, in the order given.
  private(set) var order: [(place: Int, index: Int)] = []
  private let stage: String

  /// - Parameter nonce: of letters and digits; nobody else's directory is named so.
  /// - Returns: nil when a path is not absolute or names no file, or two are the same.
  init?(_ files: [FileCopy], nonce: String) {
    stage = ".kelvin-\(nonce)"
    var known: [String: Int] = [:]
    for file in files {
      let path = file.path.string
      guard path.hasPrefix("/"), let slash = path.lastIndex(of: "/"), !path.utf8.contains(0) else {
        return nil
      }
      let name = String(path[path.index(after: slash)...])
      guard !name.isEmpty, name != ".", name != ".." else { return nil }
      let directory = String(path[...slash])
      let place = known[directory] ?? places.count
      if place == places.count {
        known[directory] = place
        places.append(Place(directory: directory))
      }
      order.append((place, places[place].names.count))
      places[place].names.append(name)
      places[place].modes.append(file.mode)
    }
    for place in places where Set(place.names).count != place.names.count { return nil }
  }

  private func stage(of place: Place) -> String { place.directory + stage }

  /// Where each file lies first, in the order given.
  var paths: [String] {
    order.map { stage(of: places[$0.place]) + "/" + places[$0.place].names[$0.index] }
  }

  /// Makes the directories; its status is not 0 when one cannot be made.
  var making: String {
    "mkdir -p -- " + words(places.map { stage(of: $0) })
  }

  /// Gives all files their names, and removes what is left of the staging in each case.
  ///
  /// - Parameter setsModes: whether they do not have them yet.
  func moving(setsModes: Bool) -> String {
    var script = "kelvin_moved() {\n"
    for place in places {
      let directory = ShellWords.quote(place.directory)
      // A directory of that name would take the file in.
      script +=
        "for kelvin_f in \(words(place.names)); do [ ! -d \(directory)\"$kelvin_f\" ] || "
        + "{ echo ': Is a directory' >&2; return 1; }; done\n"
      let staged = place.names.map { stage(of: place) + "/" + $0 }
      if setsModes {
        for (mode, indices) in Dictionary(grouping: place.modes.indices, by: { place.modes[$0] }) {
          script +=
            "chmod \(String(mode, radix: 8)) \(words(indices.map { staged[$0] })) || return\n"
        }
      }
      script += "mv -f -- \(words(staged)) \(directory) || return\n"
    }
    return script + "}\nkelvin_moved; kelvin_status2=$?; \(removing)\n(exit $kelvin_status2)"
  }

  var removing: String { "rm -rf -- " + words(places.map { stage(of: $0) }) }

  private func words(_ words: [String]) -> String {
    words.map { ShellWords.quote($0) }.joined(separator: " ")
  }
}

/// Writes archives as tar reads them (POSIX.1-1988, ustar). Pure.
struct UstarWriter {
  private(set) var bytes: [UInt8] = []

  /// Adds a regular file.
  ///
  /// - Returns: false, and nothing was added, when the format has no room for the path.
  mutating func add(_ path: String, _ content: [UInt8], mode: UInt16) -> Bool {
    guard let (prefix, name) = UstarWriter.split(Array(path.utf8)) else { return false }
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: some Collection<UInt8>, at offset: Int) {
      header.replaceSubrange(offset..<(offset + text.count), with: text)
    }
    func put(_ number: Int, digits: Int, at offset: Int) {
      let text = String(number, radix: 8)
      put((String(repeating: "0", count: digits - text.count) + text).utf8, at: offset)
    }
    put(name, at: 0)
    put(Int(mode & 0o7777), digits: 7, at: 100)
    put(0, digits: 7, at: 108)
    put(0, digits: 7, at: 116)
    put(content.count, digits: 11, at: 124)
    put(0, digits: 11, at: 136)
    put(repeatElement(UInt8(ascii: " "), count: 8), at: 148)
    put([UInt8(ascii: "0")], at: 156)
    put("ustar\u{0}00".utf8, at: 257)
    put(prefix, at: 345)
    put(header.reduce(0) { $0 + Int($1) }, digits: 6, at: 148)
    header[154] = 0
    bytes += header
    bytes += content
    bytes += repeatElement(0, count: (512 - content.count % 512) % 512)
    return true
  }

  /// Ends the archive.
  mutating func finish() { bytes += repeatElement(0, count: 1024) }

  /// A path in two parts that a slash joins: at most 155 and 100 bytes.
  private static func split(
    _ path: [UInt8]
  ) -> (prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>)? {
    guard !path.isEmpty, path.last != UInt8(ascii: "/") else { return nil }
    if path.count <= 100 { return ([], path[...]) }
    for index in path.indices where path[index] == UInt8(ascii: "/") && index > 0 {
      if index <= 155, path.count - index - 1 <= 100 {
        return (path[..<index], path[(index + 1)...])
      }
    }
    return nil
  }
}
