public import KelvinModel

extension DeviceSettings {
  /// Every family, in the order in which settings are listed.
  static let families: [any SettingFamily.Type] = [
    CPUHotplugSettings.self, CPUFrequencySettings.self, CPUIdleSettings.self, DevfreqSettings.self,
    ThermalSettings.self, KernelSettings.self, FileSettings.self, ServiceSettings.self,
    AndroidSettings.self
  ]

  /// Every setting that agendas may name.
  public static let declarations: [SettingDeclaration] = families.flatMap { $0.declarations }

  /// For reading agendas: names, types and contradictions.
  public static let vocabulary = SettingVocabulary(declarations) { settings in
    let named = settings.compactMap { try? NamedSetting($0) }
    return families.flatMap { $0.conflicts(named) }
  }
}
