internal import KelvinConnections
public import KelvinModel

/// The CPUs of a board, which of them are online, and which share a kind.
///
/// Source: Linux Documentation/ABI/testing/sysfs-devices-system-cpu.
public struct CPUTopology: Sendable, Hashable {
  public struct CPU: Sendable, Hashable {
    public var number: Int
    public var isOnline: Bool
    /// Whether it can be taken off: CPU 0 of most x86 machines cannot.
    public var canGoOffline: Bool
    /// As the kernel scales it: 1,024 for the fastest; nil where the kernel does not tell.
    public var capacity: Int?
    /// The core's design, such as `cortex-a53`; nil where nobody says.
    public var kind: String?

    /// Creates a CPU.
    public init(
      _ number: Int, isOnline: Bool = true, canGoOffline: Bool = true, capacity: Int? = nil,
      kind: String? = nil
    ) {
      self.number = number
      self.isOnline = isOnline
      self.canGoOffline = canGoOffline
      self.capacity = capacity
      self.kind = kind
    }
  }

  /// In ascending order.
  public var cpus: [CPU]
  /// The profile's clusters by their names, besides what the kernel tells.
  var clusters: [String: [Int]]

  /// Creates a topology.
  public init(_ cpus: [CPU], profile: BoardProfile? = nil) {
    self.cpus = cpus.sorted { $0.number < $1.number }
    clusters = [:]
    for cluster in profile?.clusters ?? [] {
      clusters[SettingName.fold(cluster.name), default: []] += cluster.cpus
      if let kind = cluster.kind {
        for name in CPUTopology.names(ofKind: kind) {
          clusters[name, default: []] += cluster.cpus
        }
      }
    }
  }

  public var numbers: [Int] { cpus.map(\.number) }
  public var online: Set<Int> { Set(cpus.filter(\.isOnline).map(\.number)) }

  /// By which names CPUs of one kind can be meant, and which they are: `big`, `little`, `a53`.
  public var kinds: [String: [Int]] {
    var kinds: [String: [Int]] = [:]
    let capacities = cpus.compactMap(\.capacity)
    if capacities.count == cpus.count, let least = capacities.min(), let most = capacities.max(),
      least < most
    {
      kinds["little"] = cpus.filter { $0.capacity == least }.map(\.number)
      kinds["big"] = cpus.filter { $0.capacity == most }.map(\.number)
      let middle = cpus.filter { $0.capacity != least && $0.capacity != most }.map(\.number)
      if !middle.isEmpty { kinds["middle"] = middle }
    }
    for cpu in cpus {
      for name in cpu.kind.map(CPUTopology.names) ?? [] {
        kinds[name, default: []].append(cpu.number)
      }
    }
    let present = Set(numbers)
    for (name, cluster) in clusters {
      kinds[name] = Set(cluster).intersection(present).sorted()
    }
    return kinds
  }

  /// The CPUs that a scope means.
  ///
  /// - Throws: `notOffered`, naming what the board has.
  public func cpus(
    in scope: SettingScope, of setting: String
  ) throws(SettingFailure) -> [Int] {
    switch scope {
    case .all: return numbers
    case .cpu(let number):
      guard numbers.contains(number) else {
        throw SettingFailure(
          .notOffered, "\(setting): the board has no CPU \(number)",
          hint: "it has \(CPUList.text(numbers))")
      }
      return [number]
    case .kind(let kind):
      if let found = kinds[kind], !found.isEmpty { return found }
      let known = kinds.keys.sorted()
      throw SettingFailure(
        .notOffered, "\(setting): the board has no CPUs called '\(kind)'",
        hint: known.isEmpty
          ? "all its CPUs are of one kind; write the setting without it, or cpuN_"
          : NearestName.hint(for: kind, in: known))
    }
  }

  /// `cortex-a53` can be written `cortex_a53` and `a53`.
  private static func names(ofKind kind: String) -> [String] {
    let name = SettingName.fold(kind)
    let short = name.split(separator: "_").last.map(String.init) ?? name
    return short == name ? [name] : [name, short]
  }
}

extension CPUTopology {
  static let root = "/sys/devices/system/cpu"

  /// Says which CPUs are online.
  ///
  /// - Returns: false where that cannot be: a CPU is not known, or none of them would be online.
  mutating func setOnline(_ online: Set<Int>) -> Bool {
    guard !online.isEmpty, online.isSubset(of: numbers) else { return false }
    for index in cpus.indices { cpus[index].isOnline = online.contains(cpus[index].number) }
    return true
  }

  /// Reads a board's CPUs in three round trips.
  static func read(
    _ board: SettingsReader, profile: BoardProfile?, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CPUTopology {
    let lists = try await board.texts(["\(root)/online", "\(root)/present"], until: deadline)
    let present = CPUList.parse(lists[1] ?? "") ?? CPUList.parse(lists[0] ?? "") ?? []
    let online = Set(CPUList.parse(lists[0] ?? "") ?? [])
    let files = ["online", "cpu_capacity", "regs/identification/midr_el1"]
    let texts = try await board.texts(
      present.flatMap { cpu in files.map { "\(root)/cpu\(cpu)/\($0)" } }, until: deadline)
    var parts: [Int: String] = [:]
    if board.machine.hasPrefix("armv"),
      let text = try await board.texts(["/proc/cpuinfo"], until: deadline)[0]
    {
      parts = CPUTopology.parts(cpuinfo: text)
    }
    return CPUTopology(
      present.enumerated().map { index, number in
        let first = index * files.count
        let identity = texts[first + 2].flatMap { CPUTopology.kind(midr: $0) }
        return CPU(
          number, isOnline: online.contains(number), canGoOffline: texts[first] != nil,
          capacity: texts[first + 1].flatMap { Int($0) }, kind: identity ?? parts[number])
      }, profile: profile)
  }

  /// The design that an identification register names: implementer in bits 31 to 24, part in bits 15
  /// to 4 (Arm Architecture Reference Manual, MIDR_EL1).
  static func kind(midr text: String) -> String? {
    guard text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) else { return nil }
    guard (value >> 24) & 0xff == 0x41 else { return nil }
    return armParts[Int((value >> 4) & 0xfff)]
  }

  /// `CPU part` lines by their `processor` (32-bit Arm's /proc/cpuinfo).
  static func parts(cpuinfo text: String) -> [Int: String] {
    var parts: [Int: String] = [:]
    var processor: Int?
    for line in text.split(separator: "\n") {
      let halves = line.split(separator: ":", maxSplits: 1).map { $0.trimmingASCIIWhitespace }
      guard halves.count == 2 else { continue }
      if halves[0] == "processor" { processor = Int(halves[1]) }
      if halves[0] == "CPU part", let processor, halves[1].hasPrefix("0x"),
        let part = Int(halves[1].dropFirst(2), radix: 16)
      {
        parts[processor] = armParts[part]
      }
    }
    return parts
  }

  /// Linux arch/arm64/include/asm/cputype.h, arch/arm/include/asm/cputype.h.
  private static let armParts: [Int: String] = [
    0xc05: "cortex-a5", 0xc07: "cortex-a7", 0xc08: "cortex-a8", 0xc09: "cortex-a9",
    0xc0d: "cortex-a12", 0xc0e: "cortex-a17", 0xc0f: "cortex-a15", 0xd01: "cortex-a32",
    0xd03: "cortex-a53", 0xd04: "cortex-a35", 0xd05: "cortex-a55", 0xd07: "cortex-a57",
    0xd08: "cortex-a72", 0xd09: "cortex-a73", 0xd0a: "cortex-a75", 0xd0b: "cortex-a76",
    0xd0c: "neoverse-n1", 0xd0d: "cortex-a77", 0xd40: "neoverse-v1", 0xd41: "cortex-a78",
    0xd44: "cortex-x1", 0xd46: "cortex-a510", 0xd47: "cortex-a710", 0xd48: "cortex-x2",
    0xd49: "neoverse-n2", 0xd4b: "cortex-a78c", 0xd4d: "cortex-a715", 0xd4e: "cortex-x3",
    0xd80: "cortex-a520", 0xd81: "cortex-a720", 0xd82: "cortex-x4"
  ]
}
