internal import Glibc
internal import KelvinModel

/// A boot loader that speaks fastboot: its variables, its partitions, and what it does wrong.
///
/// Used by one thread.
final class SimulatedBootloader {
  /// What a command led to.
  enum Next: Sendable, Hashable {
    case goesOn
    /// It starts something, and is away for a while.
    case leaves
  }

  private let setup: FastbootSimulator.Setup
  private let files: PartitionFiles
  private let log: @Sendable (String) -> Void
  private var slot = "a"
  /// Bytes of all downloads so far.
  private var received: Int64 = 0
  private var staged: [UInt8] = []

  init(
    _ setup: FastbootSimulator.Setup, log: @escaping @Sendable (String) -> Void
  ) throws(PlainFailure) {
    self.setup = setup
    self.log = log
    files = try PartitionFiles(setup.directory, sizes: setup.partitions)
  }

  /// Talks with a host until it goes, or the boot loader leaves.
  func serve(_ wire: any BootloaderWire) throws(WireEnd) {
    while true {
      let command = String(decoding: try wire.readCommand(), as: UTF8.self)
      log(command)
      if let stall = setup.faults.stall, command.hasPrefix(stall) { try wire.ignore() }
      if let chatter = setup.faults.chatter, command.hasPrefix(chatter) {
        while true { try reply(wire, "INFO", "still at it") }
      }
      if try carryOut(command, wire) == .leaves { return }
    }
  }

  private func reply(
    _ wire: any BootloaderWire, _ word: String, _ text: String = ""
  ) throws(WireEnd) {
    let bytes = Array((word + text).utf8.prefix(255))
    try wire.write(setup.faults.cutsReplies ? Array(bytes.prefix(3)) : bytes)
  }

  private func carryOut(
    _ command: String, _ wire: any BootloaderWire
  ) throws(WireEnd) -> Next {
    let verb = String(command.prefix { $0 != ":" && $0 != " " })
    let rest = String(command.dropFirst(verb.utf8.count + 1))
    switch verb {
    case "getvar": try tell(rest, wire)
    case "download": try download(rest, wire)
    case "upload": try upload(wire)
    case "flash", "erase": try change(verb, rest, wire)
    case "set_active":
      guard hasSlots, rest == "a" || rest == "b" else {
        try reply(wire, "FAIL", "no such slot")
        break
      }
      slot = rest
      try reply(wire, "OKAY")
    case "oem": try oem(rest, wire)
    case "reboot", "reboot-bootloader", "continue", "boot":
      try reply(wire, "OKAY")
      return .leaves
    default: try reply(wire, "FAIL", "unknown command")
    }
    return .goesOn
  }

  // MARK: variables

  private var hasSlots: Bool { setup.partitions.keys.contains { $0.hasSuffix("_a") } }

  private var variables: [(String, String)] {
    var found: [(String, String)] = [
      ("version", "0.4"), ("version-bootloader", "kelvin"), ("product", "kelvin-simulated"),
      ("serialno", setup.serial), ("secure", "no"), ("unlocked", "yes"), ("is-userspace", "no"),
      ("max-download-size", "0x" + String(setup.downloadLimit, radix: 16)),
      ("slot-count", hasSlots ? "2" : "0")
    ]
    if hasSlots { found.append(("current-slot", slot)) }
    var bases: Set<String> = []
    for (name, size) in setup.partitions.sorted(by: { $0.key < $1.key }) {
      found.append(("partition-size:\(name)", "0x" + String(size, radix: 16)))
      found.append(("partition-type:\(name)", "raw"))
      let isSlotted = name.hasSuffix("_a") || name.hasSuffix("_b")
      let base = isSlotted ? String(name.dropLast(2)) : name
      if bases.insert(base).inserted {
        found.append(("has-slot:\(base)", isSlotted ? "yes" : "no"))
      }
      found.append(("is-logical:\(name)", "no"))
    }
    return found.map { name, value in (name, setup.variables[name] ?? value) }
      + setup.variables.sorted { $0.key < $1.key }.filter { name, _ in
        !found.contains { $0.0 == name }
      }
  }

  private func tell(_ name: String, _ wire: any BootloaderWire) throws(WireEnd) {
    if name == "all" {
      for (name, value) in variables { try reply(wire, "INFO", "\(name):\(value)") }
      return try reply(wire, "OKAY")
    }
    guard let variable = variables.first(where: { $0.0 == name }) else {
      return try reply(wire, "FAIL", "Unknown variable")
    }
    try reply(wire, "OKAY", variable.1)
  }

  // MARK: data

  private func download(_ digits: String, _ wire: any BootloaderWire) throws(WireEnd) {
    guard digits.utf8.count == 8, let size = Int64(digits, radix: 16), size > 0 else {
      return try reply(wire, "FAIL", "bad size")
    }
    guard size <= setup.downloadLimit else { return try reply(wire, "FAIL", "data too large") }
    let file = files.openDownload(empty: true)
    guard file >= 0 else { return try reply(wire, "FAIL", "out of memory") }
    defer { close(file) }
    let wanted = String(max(0, size + Int64(setup.faults.dataError)), radix: 16)
    try reply(wire, "DATA", String(repeating: "0", count: 8 - wanted.utf8.count) + wanted)
    var left = size
    var isStored = true
    while left > 0 {
      let bytes = try wire.readData(limit: Int(min(left, 1 << 20)))
      left -= Int64(bytes.count)
      received += Int64(bytes.count)
      isStored = isStored && Glibc.write(file, bytes, bytes.count) == bytes.count
      if let limit = setup.faults.dropAfter, received >= limit {
        log("dropped")
        if setup.place.hangsUp { throw .gone }
        try wire.ignore()
      }
    }
    try isStored ? reply(wire, "OKAY") : reply(wire, "FAIL", "out of memory")
  }

  private func upload(_ wire: any BootloaderWire) throws(WireEnd) {
    guard !staged.isEmpty else { return try reply(wire, "FAIL", "nothing is staged") }
    let size = String(max(1, staged.count + setup.faults.dataError), radix: 16)
    try reply(wire, "DATA", String(repeating: "0", count: 8 - size.utf8.count) + size)
    var rest = staged[...]
    while !rest.isEmpty {
      try wire.write(Array(rest.prefix(50_000)))
      rest = rest.dropFirst(50_000)
    }
    staged = []
    try reply(wire, "OKAY")
  }

  private func change(
    _ verb: String, _ name: String, _ wire: any BootloaderWire
  ) throws(WireEnd) {
    if setup.faults.failing.contains(name) {
      try reply(wire, "INFO", "\(verb) \(name)")
      return try reply(wire, "FAIL", verb == "flash" ? "flash write error" : "erase failed")
    }
    do throws(PartitionFiles.Refusal) {
      if verb == "flash" { try files.flash(name) } else { try files.erase(name) }
    } catch {
      return try reply(wire, "FAIL", error.text)
    }
    try reply(wire, "OKAY")
  }

  /// `oem say WORDS` repeats them, `oem stage COUNT` has so many bytes ready for an upload: 0, 7, 14
  /// and so on.
  private func oem(_ words: String, _ wire: any BootloaderWire) throws(WireEnd) {
    let verb = words.prefix { $0 != " " }
    let rest = words.dropFirst(verb.count + 1)
    switch verb {
    case "say":
      try reply(wire, "INFO", String(rest))
      try reply(wire, "TEXT", "\(rest.count) letters\n\0")
      try reply(wire, "OKAY")
    case "stage":
      guard let count = Int(rest), (1...(16 << 20)).contains(count) else {
        return try reply(wire, "FAIL", "bad size")
      }
      staged = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      try reply(wire, "OKAY")
    default: try reply(wire, "FAIL", "unknown oem command")
    }
  }
}
