internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// The IIO devices of a board or of this machine, as their files describe them (Linux,
/// Documentation/ABI/testing/sysfs-bus-iio).
struct IIOSysfs {
  static let top = "/sys/bus/iio/devices"
  /// Attributes of channels that are of use here.
  private static let used = [
    "scale", "offset", "label", "integration_time", "oversampling_ratio", "sampling_frequency",
    "shunt_resistor"
  ]

  private let connection: any Connection
  private let deadline: Deadline
  /// What is read in one round trip, and what came.
  private var wanted: [TargetPath] = []
  private var values: [TargetPath: String] = [:]

  /// Devices in the order of their numbers; none where the kernel has none.
  static func devices(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [IIODevice] {
    var reader = IIOSysfs(connection: connection, deadline: deadline)
    do throws(ConnectionFailure) {
      return try await reader.devices()
    } catch {
      if error.code == .notFound || error.code == .system(.notFound) { return [] }
      throw MeterFailure(error, of: "IIO devices")
    }
  }

  private init(connection: any Connection, deadline: Deadline) {
    self.connection = connection
    self.deadline = deadline
  }

  private mutating func devices() async throws(ConnectionFailure) -> [IIODevice] {
    var found: [(id: String, parent: String, files: Set<String>)] = []
    for entry in try await connection.list(TargetPath(Self.top), depth: 1, until: deadline) {
      let id = entry.path.string.split(separator: "/").last.map(String.init) ?? ""
      guard id.hasPrefix("iio:device") else { continue }
      var parent = ""
      if case .link(let target) = entry.kind {
        parent = target.split(separator: "/").dropLast().last.map(String.init) ?? ""
      }
      let directory = TargetPath(Self.top + "/" + id)
      let prefix = directory.string.count + 1
      let files = try await connection.list(directory, depth: 2, until: deadline)
        .map { String($0.path.string.dropFirst(prefix)) }
      found.append((id, parent == ".." ? "" : parent, Set(files)))
    }
    for device in found { want(device.id, device.files) }
    for (path, result) in zip(wanted, try await connection.read(wanted, until: deadline)) {
      guard case .success(let bytes) = result else { continue }
      values[path] = String(decoding: bytes, as: UTF8.self).trimmed
    }
    return found.map { device($0.id, $0.parent, $0.files) }
      .sorted { ($0.id.count, $0.id) < ($1.id.count, $1.id) }
  }

  private mutating func want(_ id: String, _ files: Set<String>) {
    for name in ["name", "label", "in_shunt_resistor"] where files.contains(name) {
      wanted.append(Self.path(id, name))
    }
    for base in Self.bases(files) {
      wanted.append(Self.path(id, "scan_elements/\(base)_index"))
      wanted.append(Self.path(id, "scan_elements/\(base)_type"))
      let attributes = Self.attributes(of: base, files)
      for name in ["scale", "offset", "label"] {
        if let file = attributes[name] { wanted.append(Self.path(id, file)) }
      }
    }
  }

  private func device(_ id: String, _ parent: String, _ files: Set<String>) -> IIODevice {
    var channels: [IIOChannel] = []
    for base in Self.bases(files) {
      let attributes = Self.attributes(of: base, files)
      func text(_ name: String) -> String? {
        attributes[name].flatMap { values[Self.path(id, $0)] }
      }
      var element: IIOChannel.Element?
      if let index = values[Self.path(id, "scan_elements/\(base)_index")].flatMap({ Int($0) }),
        let format = values[Self.path(id, "scan_elements/\(base)_type")]
          .flatMap({ IIOElementFormat($0) })
      {
        element = IIOChannel.Element(index: index, format: format)
      }
      let isOutput = base.hasPrefix("out_")
      channels.append(
        IIOChannel(
          id: String(base.dropFirst(isOutput ? 4 : 3)), label: text("label") ?? "",
          isOutput: isOutput, attributes: attributes, element: element,
          scale: text("scale").flatMap { Double($0) } ?? 1,
          offset: text("offset").flatMap { Double($0) } ?? 0))
    }
    channels.sort { ($0.element?.index ?? .max) < ($1.element?.index ?? .max) }
    var device = IIODevice(
      id: id, name: values[Self.path(id, "name")] ?? "",
      label: values[Self.path(id, "label")] ?? "",
      parent: parent, attributes: files.filter { !$0.contains("/") }, channels: channels,
      takesTrigger: files.contains("trigger/current_trigger"),
      shunt: values[Self.path(id, "in_shunt_resistor")].flatMap { Double($0) })
    device.correct()
    return device
  }

  private static func path(_ device: String, _ file: String) -> TargetPath {
    TargetPath("\(top)/\(device)/\(file)")
  }

  /// `in_voltage0` for each `scan_elements/in_voltage0_en`.
  private static func bases(_ files: Set<String>) -> [String] {
    files.compactMap { file in
      guard file.hasPrefix("scan_elements/"), file.hasSuffix("_en") else { return nil }
      return String(file.dropFirst("scan_elements/".count).dropLast("_en".count))
    }.sorted()
  }

  /// A channel's attributes, its own before those that it shares with others of its type:
  /// `in_accel_x_scale`, `in_accel_scale`, `in_scale`.
  static func attributes(of base: String, _ files: Set<String>) -> [String: String] {
    let words = base.split(separator: "_").map(String.init)
    guard words.count > 1 else { return [:] }
    let type = words[1].prefix { $0.isLetter }
    let numbered = "\(words[0])_\(words[1])"
    let pair = words[1].split(separator: "-").map { $0.prefix { $0.isLetter } }.joined(
      separator: "-")
    var found: [String: String] = [:]
    for prefix in [base, numbered, "\(words[0])_\(pair)", "\(words[0])_\(type)", words[0]] {
      for name in used where found[name] == nil && files.contains("\(prefix)_\(name)") {
        found[name] = "\(prefix)_\(name)"
      }
    }
    return found
  }
}

extension String {
  /// Without white space and NUL at its ends.
  var trimmed: String {
    let isSpace = { (scalar: Unicode.Scalar) in scalar.value <= 32 }
    let rest = unicodeScalars.drop(while: isSpace)
    let end = rest.lastIndex { !isSpace($0) }.map { rest.index(after: $0) } ?? rest.startIndex
    return String(String.UnicodeScalarView(rest[rest.startIndex..<end]))
  }
}
