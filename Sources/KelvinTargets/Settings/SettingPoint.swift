internal import KelvinModel

/// One value of a board that can be read, written and put back: a file of /sys or /proc, or what a
/// pair of commands reads and writes.
public struct SettingPoint: Sendable, Hashable, Codable {
  public enum Place: Sendable, Hashable, Codable {
    case file(String)
    /// POSIX shell. `read` prints the value; `write` gets it as `$1`.
    case commands(read: String, write: String)
  }

  /// When it is written, compared with others: what stands first may be needed by what follows, and
  /// CPUs go off last, since nothing of them can be written after that.
  public enum Stage: Int, Sendable, Hashable, Codable, Comparable, CaseIterable {
    case first, online, governor, limit, frequency, tunable, idle, others, commands, offline

    public static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }
  }

  /// The other one of a pair of which the lower must never be above the upper.
  public enum Limit: Sendable, Hashable, Codable {
    case lower(than: String)
    case upper(than: String)
  }

  /// Unique on a board; of a file its path.
  public var id: String
  /// For people: `governor of cpu0-1`.
  public var label: String
  public var place: Place
  public var meaning: SettingMeaning
  public var stage: Stage
  /// It is there only while one of these CPUs is online; empty: always.
  public var cpus: [Int]
  public var limit: Limit?

  /// Describes a file.
  public init(
    file path: String, _ label: String, _ meaning: SettingMeaning = .text, stage: Stage = .others,
    cpus: [Int] = [], limit: Limit? = nil
  ) {
    id = path
    self.label = label
    place = .file(path)
    self.meaning = meaning
    self.stage = stage
    self.cpus = cpus
    self.limit = limit
  }

  /// Describes what commands read and write.
  public init(
    commands id: String, _ label: String, _ meaning: SettingMeaning = .text, read: String,
    write: String
  ) {
    self.id = id
    self.label = label
    place = .commands(read: read, write: write)
    self.meaning = meaning
    stage = .commands
    cpus = []
  }

  /// Whether it is there only under one governor.
  var belongsToGovernor: Bool { stage == .tunable || stage == .frequency }

  /// Whether it can be read and written while these CPUs are online.
  func exists(online: Set<Int>) -> Bool { cpus.isEmpty || !online.isDisjoint(with: cpus) }
}

/// When what is read means what was written.
public enum SettingMeaning: String, Sendable, Hashable, Codable {
  /// The same text; of a file that lists its choices, the one in brackets.
  case text
  /// The same number: `0x10` and `16` are.
  case number
  /// The same CPUs: `0-3` and `0,1,2,3` are.
  case cpuList
  /// Whatever is read; for files that do not tell what was written.
  case unverified

  /// Whether a reading, without blanks around it, means `wanted`.
  func holds(_ reading: String, _ wanted: String) -> Bool {
    if reading == wanted { return true }
    switch self {
    case .unverified: return true
    case .text: return SettingMeaning.chosen(reading) == wanted
    case .number:
      guard let a = SettingMeaning.number(reading), let b = SettingMeaning.number(wanted) else {
        return false
      }
      return a == b
    case .cpuList:
      guard let a = CPUList.parse(reading), let b = CPUList.parse(wanted) else { return false }
      return a == b
    }
  }

  /// What to write to bring a reading back: the chosen one of several choices.
  static func chosen(_ reading: String) -> String {
    guard let open = reading.firstIndex(of: "["), let close = reading[open...].firstIndex(of: "]"),
      reading.contains(" ")
    else { return reading }
    return String(reading[reading.index(after: open)..<close])
  }

  private static func number(_ text: String) -> Double? {
    if text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) {
      return Double(value)
    }
    return Double(text)
  }
}

/// A point and what it is to hold.
public struct SettingWish: Sendable, Hashable {
  public var point: SettingPoint
  public var value: String
  /// The setting that asked for it, as written: `cpu0_governor`.
  public var setting: String
  /// One of many that were asked for at once, of which some may refuse: interrupts that cannot move.
  public var isOptional: Bool

  /// What is called the setting of a wish that puts something back.
  static let original = "its original value"

  /// Whether it puts something back.
  var isRestoring: Bool { setting == SettingWish.original }

  /// Creates a wish.
  public init(
    _ point: SettingPoint, _ value: String, setting: String, isOptional: Bool = false
  ) {
    self.point = point
    self.value = value
    self.setting = setting
    self.isOptional = isOptional
  }
}

/// What a point held before Kelvin touched it.
public struct SettingOriginal: Sendable, Hashable, Codable {
  public var point: SettingPoint
  public var value: String

  /// Creates a record.
  public init(_ point: SettingPoint, _ value: String) {
    self.point = point
    self.value = value
  }
}

/// Where original values are kept until everything is as it was: on the host, so that neither the
/// death of this process nor of the board loses them.
public protocol SettingsJournal: Sendable {
  /// What is to be put back, whoever changed it.
  func originals() throws -> [SettingOriginal]
  /// Keeps values; they are on the disk when this returns. Those that are known already stay.
  func keep(_ originals: [SettingOriginal]) throws
  /// Forgets what was put back.
  func forget(_ ids: [String]) throws
}
