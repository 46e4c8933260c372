internal import KelvinConnections
internal import KelvinModel

/// Files of sysfs and procfs that agendas name by their paths: `sysfile_values`, `sysctl`,
/// `cgroup_values`.
struct FileSettings: SettingFamily {
  static let declarations: [SettingDeclaration] = [
    .init(
      "sysfile_values", .map(.any), aliases: ["sysfiles"], group: "files",
      "Values by the absolute paths of files, written in the order of the paths. A path with '!' at "
        + "its end is not read back."),
    .init(
      "sysctl", .map(.any), group: "files",
      "Kernel parameters by name, as sysctl(8) has them: 'kernel.sched_autogroup_enabled: 0'."),
    .init(
      "cgroup_values", .map(.map(.any)), aliases: ["cgroups"], group: "files",
      "Values by the names of control groups and their files: "
        + "'{system.slice: {cpu.uclamp.max: 50, cpuset.cpus: 0-1}}'. The groups must be there "
        + "(cgroup v2, or a v1 hierarchy of the file's controller).")
  ]

  static func conflicts(_ settings: [NamedSetting]) -> [SettingVocabulary.Problem] {
    settings.filter { $0.name.base == "sysfile_values" }.flatMap { setting in
      var seen: Set<String> = []
      return (setting.value.map ?? [:]).keys.sorted().compactMap {
        written -> SettingVocabulary.Problem? in
        let path = FileSettings.path(written).path
        if !path.hasPrefix("/") {
          return .init("sysfile_values", "'\(written)' is no absolute path")
        }
        if path.contains("\0") || path.contains("\n") {
          return .init("sysfile_values", "a path holds a control character")
        }
        guard !seen.insert(path).inserted else {
          return .init("sysfile_values", "'\(path)' is written twice", hint: "remove one of them")
        }
        return nil
      }
    }
  }

  /// Where control groups are, and whether v2.
  var groups: (root: String, isUnified: Bool)?

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> FileSettings {
    let texts = try await board.texts(
      ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/unified/cgroup.controllers"],
      until: deadline)
    if texts[0] != nil { return FileSettings(groups: ("/sys/fs/cgroup", true)) }
    return FileSettings(groups: ("/sys/fs/cgroup", false))
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings {
      let entries = (setting.value.map ?? [:]).sorted { $0.key < $1.key }
      switch setting.name.base {
      case "sysfile_values":
        for (written, value) in entries {
          let (path, isVerified) = FileSettings.path(written)
          wishes.append(
            SettingWish(
              SettingPoint(
                file: path, path, isVerified ? FileSettings.meaning(path) : .unverified,
                stage: .first), FileSettings.text(value), setting: "sysfile_values"))
        }
      case "sysctl":
        for (name, value) in entries {
          wishes.append(
            SettingWish(
              SettingPoint(file: FileSettings.sysctlPath(name), name, .number),
              FileSettings.words(value), setting: "sysctl"))
        }
      case "cgroup_values":
        for (group, values) in entries {
          for (file, value) in (values.map ?? [:]).sorted(by: { $0.key < $1.key }) {
            let path = groupPath(group, file)
            wishes.append(
              SettingWish(
                SettingPoint(
                  file: path, "\(file) of control group \(group)", FileSettings.meaning(path)),
                FileSettings.text(value), setting: "cgroup_values"))
          }
        }
      default: break
      }
    }
    return wishes
  }

  /// Of everything that is in /sys and /proc, nothing in particular is offered.
  func offers(cpus: CPUTopology) -> [SettingOffer] { [] }

  /// A path without the `!` by which WA says that it is not to be read back.
  static func path(_ written: String) -> (path: String, isVerified: Bool) {
    written.hasSuffix("!") ? (String(written.dropLast()), false) : (written, true)
  }

  /// sysctl(8): dots stand for slashes; a name that begins with a slash or holds one is taken as it is.
  static func sysctlPath(_ name: String) -> String {
    "/proc/sys/" + (name.contains("/") ? name : name.replacing(".", with: "/"))
  }

  private func groupPath(_ group: String, _ file: String) -> String {
    let name = group == "/" || group.isEmpty ? "" : "/" + group.drop { $0 == "/" }
    guard let groups, !groups.isUnified else { return "/sys/fs/cgroup\(name)/\(file)" }
    // v1 has a hierarchy for each controller, which the file's name begins with.
    let controller = file.split(separator: ".").first.map(String.init) ?? file
    return "/sys/fs/cgroup/\(controller)\(name)/\(file)"
  }

  private static func meaning(_ path: String) -> SettingMeaning {
    let name = path.split(separator: "/").last ?? ""
    return name.hasSuffix("cpus") || name.hasSuffix("affinity_list") || name.hasSuffix("mems")
      ? .cpuList : .number
  }

  /// A value as it is written into a file.
  static func text(_ value: Value) -> String {
    switch value {
    case .boolean(let flag): flag ? "1" : "0"
    case .number(let number) where number == number.rounded() && abs(number) < 1e15:
      "\(Int64(number))"
    case .null: ""
    default: value.display
    }
  }

  /// A value, or several that the kernel lists with a tab between them.
  static func words(_ value: Value) -> String {
    guard case .list(let values) = value else { return text(value) }
    return values.map(text).joined(separator: "\t")
  }
}
