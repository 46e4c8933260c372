public import KelvinModel

/// A variable of a boot loader.
public struct FastbootVariable: Sendable, Hashable {
  public var name: String
  public var value: String

  /// Creates a variable.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }

  /// Reads a line of `getvar:all`. Names have colons themselves (`partition-size:boot`), values may
  /// follow a colon and a space or a colon alone: the first with a space counts, else the last.
  init?(line: String) {
    var colon = line.indices.first { index in
      line[index] == ":" && line[line.index(after: index)...].first == " "
    }
    if colon == nil { colon = line.lastIndex(of: ":") }
    guard let colon, colon != line.startIndex else { return nil }
    name = FastbootVariable.trimmed(line[..<colon])
    value = FastbootVariable.trimmed(line[line.index(after: colon)...])
    if name.isEmpty { return nil }
  }

  private static func trimmed(_ text: Substring) -> String {
    var rest = text.drop { $0 == " " }
    while rest.last == " " { rest.removeLast() }
    return String(rest)
  }
}

extension FastbootDevice {
  /// The value of a variable.
  ///
  /// - Throws: `refused` when the boot loader does not know it; old ones say nothing instead.
  public func variable(
    _ name: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String {
    try await run(FastbootCommand("getvar:\(name)"), until: deadline)
  }

  /// The value of a variable; nil when the boot loader does not know it.
  func variableIfKnown(
    _ name: String, _ deadline: Deadline
  ) async throws(ConnectionFailure) -> String? {
    do {
      let value = try await variable(name, until: deadline)
      return value.isEmpty ? nil : value
    } catch {
      if case .refused = error.code { return nil }
      throw error
    }
  }

  /// All variables, in the order in which the boot loader tells them; lines that are none are left out.
  public func variables(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FastbootVariable] {
    var found: [FastbootVariable] = []
    let listener = hear
    defer { hear = listener }
    hear = { line in
      // A boot loader that never ends is bounded by time; its lines, here.
      if found.count < 100_000, let variable = FastbootVariable(line: line) {
        found.append(variable)
      }
    }
    try await run(FastbootCommand("getvar:all"), until: deadline)
    return found
  }

  /// How many bytes one download may have; nil when the boot loader does not tell.
  ///
  /// - Throws: also when it tells something that is no number.
  func downloadLimit(_ deadline: Deadline) async throws(ConnectionFailure) -> Int64? {
    guard let text = try await variableIfKnown("max-download-size", deadline) else { return nil }
    let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
    let number = Int64(
      isHexadecimal ? text.dropFirst(2) : text[...], radix: isHexadecimal ? 16 : 10)
    guard let number, number >= 0 else {
      throw ConnectionFailure(
        .badReply, "fastboot \(name): its max-download-size is '\(text)', which is no number",
        hint: "'--max-download' says it instead")
    }
    return number == 0 ? nil : number
  }

  /// A partition's name with its slot, where the boot loader says that it has slots: the one named,
  /// else the one that is current.
  public func partition(
    _ partition: String, slot: String? = nil, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String {
    guard try await variableIfKnown("has-slot:\(partition)", deadline) == "yes" else {
      guard slot == nil else {
        throw ConnectionFailure(
          .unsupported, "fastboot \(name): partition '\(partition)' has no slots")
      }
      return partition
    }
    if let slot { return "\(partition)_\(slot)" }
    guard let current = try await variableIfKnown("current-slot", deadline) else {
      throw ConnectionFailure(
        .unsupported,
        "fastboot \(name): partition '\(partition)' has slots, and none of them is current",
        hint: "name one with --slot")
    }
    // Old boot loaders say `_a`.
    return "\(partition)_\(current.drop { $0 == "_" })"
  }
}
