internal import KelvinConnections
public import KelvinModel

/// A setting with its name taken apart.
public struct NamedSetting: Sendable, Hashable {
  public var name: SettingName
  public var value: Value

  /// Creates a setting.
  public init(_ name: SettingName, _ value: Value) {
    self.name = name
    self.value = value
  }

  /// Takes a plan's setting apart.
  ///
  /// - Throws: `notOffered` for a name that no declaration has: a run of another version.
  public init(_ setting: JobSpec.Setting) throws(SettingFailure) {
    guard let name = SettingName(setting.name, in: DeviceSettings.declarations) else {
      throw SettingFailure(
        .notOffered, "setting '\(setting.name)': unknown",
        hint: "'kelvin list settings' lists them")
    }
    self.init(name, setting.value)
  }
}

/// A group of settings that have something in common: what may be written, what contradicts itself,
/// what a board offers of it, and which files hold it.
protocol SettingFamily: Sendable {
  static var declarations: [SettingDeclaration] { get }

  /// Whether what was read of it holds when the same system boots again.
  static var staysOverBoots: Bool { get }

  /// Contradictions between settings that are right each by itself.
  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem]

  /// Reads what a board has of it.
  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Self

  /// The values that settings of this family ask for.
  ///
  /// - Parameter online: the CPUs that will be online then.
  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish]

  /// Everything that the board offers.
  func offers(cpus: CPUTopology) -> [SettingOffer]
}

extension SettingFamily {
  static var staysOverBoots: Bool { false }
  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] { [] }
}

/// A setting that a board offers, for people.
public struct SettingOffer: Sendable, Hashable {
  /// As agendas name it: `cpu0_governor`, `sysctl: kernel.x`.
  public var setting: String
  /// Nil where it cannot be read now.
  public var value: String?
  /// What may be written: `600 MHz, 1.4 GHz`, `0 to 255`.
  public var range: String
  /// The file, or what stands for it.
  public var source: String

  /// Creates an offer.
  public init(_ setting: String, value: String?, range: String, source: String) {
    self.setting = setting
    self.value = value
    self.range = range
    self.source = source
  }
}
