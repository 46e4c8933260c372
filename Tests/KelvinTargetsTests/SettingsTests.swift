import KelvinModel
import Synchronization
import Testing

@testable import KelvinConnections
@testable import KelvinTargets

/// Settings on a recorded tree: what they come to, and that everything is put back.
@Suite(.timeLimit(.minutes(2))) struct SettingsTests {
  private static let cpufreq = "/sys/devices/system/cpu/cpufreq"

  struct Case: Sendable {
    var settings: [JobSpec.Setting]
    var files: [String: String]
  }

  @Test(arguments: [
    Case(
      settings: [.init("governor", "performance")],
      files: [
        "\(cpufreq)/policy0/scaling_governor": "performance",
        "\(cpufreq)/policy2/scaling_governor": "performance"
      ]),
    Case(
      settings: [.init("big_governor", "powersave"), .init("a53_max_frequency", .number(1e9))],
      files: [
        "\(cpufreq)/policy0/scaling_governor": "ondemand",
        "\(cpufreq)/policy0/scaling_max_freq": "1000000",
        "\(cpufreq)/policy2/scaling_governor": "powersave"
      ]),
    // By the governor 'userspace' where there is one, by limits elsewhere.
    Case(
      settings: [
        .init("cpu0_frequency", .number(1e9)), .init("cortex_a72_frequency", .number(1.5e9))
      ],
      files: [
        "\(cpufreq)/policy0/scaling_governor": "userspace",
        "\(cpufreq)/policy0/scaling_setspeed": "1000000",
        "\(cpufreq)/policy2/scaling_governor": "ondemand",
        "\(cpufreq)/policy2/scaling_min_freq": "1500000",
        "\(cpufreq)/policy2/scaling_max_freq": "1500000"
      ]),
    Case(
      settings: [.init("frequency", "max"), .init("governor", "powersave")],
      files: [
        "\(cpufreq)/policy0/scaling_min_freq": "1400000",
        "\(cpufreq)/policy2/scaling_min_freq": "2400000"
      ]),
    Case(
      settings: [.init("little_gov_tunables", ["sampling_rate": 50000])],
      files: [
        "\(cpufreq)/policy0/ondemand/sampling_rate": "50000",
        "\(cpufreq)/policy2/ondemand/sampling_rate": "10000"
      ]),
    Case(
      settings: [.init("num_big_cores", 1)],
      files: [
        "/sys/devices/system/cpu/cpu2/online": "1", "/sys/devices/system/cpu/cpu3/online": "0",
        "/sys/devices/system/cpu/cpu1/online": "1"
      ]),
    // CPU 0 cannot be taken off, so it is the one that stays.
    Case(
      settings: [.init("num_cores", 1)],
      files: [
        "/sys/devices/system/cpu/cpu1/online": "0", "/sys/devices/system/cpu/cpu2/online": "0",
        "/sys/devices/system/cpu/cpu3/online": "0"
      ]),
    Case(
      settings: [.init("idle_states", ["WFI"]), .init("cpuidle_governor", "teo")],
      files: [
        "/sys/devices/system/cpu/cpu0/cpuidle/state0/disable": "0",
        "/sys/devices/system/cpu/cpu3/cpuidle/state1/disable": "1",
        "/sys/devices/system/cpu/cpuidle/current_governor": "teo"
      ]),
    Case(
      settings: [.init("big_max_wakeup_latency", .number(0.0001))],
      files: [
        "/sys/devices/system/cpu/cpu2/power/pm_qos_resume_latency_us": "100",
        "/sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us": "0"
      ]),
    Case(
      settings: [.init("gpu_frequency", .number(4e8)), .init("gpu_governor", "performance")],
      files: [
        "/sys/class/devfreq/ff9a0000.gpu/min_freq": "400000000",
        "/sys/class/devfreq/ff9a0000.gpu/max_freq": "400000000",
        "/sys/class/devfreq/ff9a0000.gpu/governor": "performance"
      ]),
    Case(
      settings: [.init("devfreq", ["gpu": ["max_frequency": "min"]])],
      files: ["/sys/class/devfreq/ff9a0000.gpu/max_freq": "200000000"]),
    Case(
      settings: [
        .init(
          "thermal_zones",
          ["cpu-thermal": ["governor": "user_space", "trips": ["0": .number(85)]]])
      ],
      files: [
        "/sys/class/thermal/thermal_zone0/policy": "user_space",
        "/sys/class/thermal/thermal_zone0/trip_point_0_temp": "85000"
      ]),
    Case(
      settings: [.init("irq_affinity", ["eth0": "2,3", "default": "0-1"])],
      files: [
        "/proc/irq/33/smp_affinity_list": "2,3", "/proc/irq/1/smp_affinity_list": "0-3",
        "/proc/irq/default_smp_affinity": "3"
      ]),
    Case(
      settings: [
        .init("sysctl", ["vm.swappiness": 10, "net.ipv4.tcp_rmem": [1, 2, 3]]),
        .init("usb_autosuspend", false),
        .init("cgroup_values", ["bench": ["cpu.uclamp.max": 50, "cpuset.cpus": "0,1"]]),
        .init("sysfile_values", ["/sys/class/thermal/thermal_zone0/mode": "disabled"])
      ],
      files: [
        "/proc/sys/vm/swappiness": "10", "/proc/sys/net/ipv4/tcp_rmem": "1\t2\t3",
        "/sys/bus/usb/devices/1-1/power/control": "on",
        "/sys/fs/cgroup/bench/cpu.uclamp.max": "50", "/sys/fs/cgroup/bench/cpuset.cpus": "0,1",
        "/sys/class/thermal/thermal_zone0/mode": "disabled"
      ])
  ])
  func bringTheBoardToWhatTheySayAndBack(_ one: Case) async throws {
    let tree = try SettingsTree()
    let journal = MemoryJournal()
    let settings = tree.settings(journal)
    var before: [String: String] = [:]
    for path in one.files.keys { before[path] = try tree[path] }
    // A file of a tree holds what was written: 'userspace' reads '<unsupported>' until then.
    if one.files["\(Self.cpufreq)/policy0/scaling_setspeed"] != nil {
      try tree.directory.write(
        String("\(Self.cpufreq)/policy0/scaling_setspeed".dropFirst()), "600000\n")
      before["\(Self.cpufreq)/policy0/scaling_setspeed"] = "600000"
    }
    let applied = try await settings.apply(one.settings, until: soon)
    for (path, value) in one.files { #expect(try tree[path] == value, "\(path)") }
    #expect(!applied.changes.isEmpty)
    #expect(try await settings.endWindow(until: soon).drift == [])
    // Again, nothing differs, so nothing is written.
    #expect(try await settings.apply(one.settings, until: soon).changes == [])
    try await settings.restore(until: soon)
    for (path, value) in before { #expect(try tree[path] == value, "\(path)") }
    #expect(try journal.originals() == [])
    #expect(!settings.isChanged)
  }

  @Test(arguments: [
    (
      [JobSpec.Setting("governor", "performence")], "cpu0-1 has no governor 'performence'",
      "did you mean 'performance'?"
    ),
    ([.init("governor", "schedutil")], "has no governor 'schedutil'", "it has ondemand"),
    ([.init("frequency", .number(1.1e9))], "cannot run at 1100 MHz", "600 MHz, 1000 MHz, 1400 MHz"),
    ([.init("cpu7_governor", "performance")], "the board has no CPU 7", "0-3"),
    ([.init("a57_governor", "performance")], "no CPUs called 'a57'", "did you mean 'a53'?"),
    ([.init("num_cores", 5)], "5 CPUs asked for, the board has 4", "0-3"),
    ([.init("cpu0_online", false)], "CPU 0 cannot be taken off", "cpu0/online"),
    (
      [.init("num_big_cores", 1), .init("cpu3_online", true)], "both set whether CPU 3 is online",
      "remove one"
    ),
    (
      [.init("cpu0_governor", "powersave"), .init("cpu1_governor", "performance")],
      "ask for different values of cpu0-1, which share a clock", "one of them"
    ),
    (
      [.init("cpu2_online", false), .init("cpu2_governor", "performance")],
      "CPU 2 is offline in this job", "leave the CPU online"
    ),
    (
      [.init("frequency", "min"), .init("cpu2_max_frequency", "max")],
      "which excludes 'cpu2_max_frequency'", "one of them"
    ),
    (
      [
        .init("governor", "performance"),
        .init(
          "sysfile_values",
          ["/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave"])
      ], "ask for different values of", "one of them"
    ),
    ([.init("idle_states", ["C7"])], "has no idle state 'C7'", "WFI, cpu-sleep"),
    ([.init("cpuidle_governor", "ladder")], "no cpuidle governor 'ladder'", "menu, teo"),
    (
      [.init("devfreq", ["dmc": ["governor": "performance"]])], "has no device 'dmc'",
      "ff9a0000.gpu"
    ),
    ([.init("gpu_frequency", .number(3e8))], "cannot run at 300 MHz", "200 MHz, 400 MHz"),
    ([.init("thermal_zones", ["gpu": ["governor": "x"]])], "has no zone 'gpu'", "cpu-thermal"),
    (
      [.init("thermal_zones", ["all": ["trips": ["3": .number(70)]]])], "has no trip point 3", "0"
    ),
    ([.init("transparent_hugepages", "sometimes")], "'sometimes' is not offered", "madvise"),
    ([.init("irq_affinity", ["eth0": "9"])], "has no CPU 9", "0-3"),
    ([.init("irq_affinity", ["eth9": "0"])], "has no interrupt 'eth9'", "did you mean 'eth0'?"),
    ([.init("boost", true)], "no frequencies above the nominal ones", "boost"),
    ([.init("brightness", 100)], "does not run Android", ""),
    ([.init("sysfile_values", ["/sys/none": 1])], "/sys/none cannot be read", "is /sys/none there"),
    (
      [.init("cgroup_values", ["none": ["cpu.weight": 1]])], "cannot be read", "/sys/fs/cgroup/none"
    )
  ])
  func whatIsNotOfferedIsToldBeforeAnythingIsWritten(
    settings: [JobSpec.Setting], message: String, hint: String
  ) async throws {
    let tree = try SettingsTree()
    let journal = MemoryJournal()
    let failure = await #expect(throws: SettingFailure.self) {
      try await tree.settings(journal).apply(settings, until: soon)
    }
    #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
    #expect(failure?.hint.contains(hint) == true, "\(String(describing: failure))")
    #expect(try tree["\(Self.cpufreq)/policy0/scaling_governor"] == "ondemand")
    #expect(try tree["/sys/devices/system/cpu/cpu3/online"] == "1")
  }

  /// What one job changed does not leak into the next.
  @Test func aJobHasItsOwnSettingsAndNoOtherJobs() async throws {
    let tree = try SettingsTree()
    let settings = tree.settings()
    try await settings.apply(
      [.init("governor", "performance"), .init("sysctl", ["vm.swappiness": 1])], until: soon)
    let changes = try await settings.apply([.init("little_governor", "powersave")], until: soon)
      .changes
    #expect(try tree["\(Self.cpufreq)/policy0/scaling_governor"] == "powersave")
    #expect(try tree["\(Self.cpufreq)/policy2/scaling_governor"] == "ondemand")
    #expect(try tree["/proc/sys/vm/swappiness"] == "60")
    #expect(changes.count == 3)
    try await settings.apply([], until: soon)
    #expect(try tree["\(Self.cpufreq)/policy0/scaling_governor"] == "ondemand")
  }

  /// Nothing is written before its original value is on the disk.
  @Test func writesNothingThatItCannotPutBack() async throws {
    let tree = try SettingsTree()
    let journal = MemoryJournal()
    journal.state.withLock { $0.isFull = true }
    await #expect(throws: PlainFailure.self) {
      try await tree.settings(journal).apply([.init("governor", "performance")], until: soon)
    }
    #expect(try tree["\(Self.cpufreq)/policy0/scaling_governor"] == "ondemand")
  }

  /// As after `kill -9`: another process, the same journal.
  @Test func anotherLifePutsBackWhatTheLastOneChanged() async throws {
    let tree = try SettingsTree()
    let journal = MemoryJournal()
    try await tree.settings(journal).apply(
      [.init("governor", "performance"), .init("num_cores", 2)], until: soon)
    // The tree's list of CPUs does not follow, as a kernel's does.
    try tree.directory.write("sys/devices/system/cpu/online", "0-1\n")
    let next = tree.settings(journal)
    try await next.restore(until: soon)
    #expect(try tree["\(Self.cpufreq)/policy2/scaling_governor"] == "ondemand")
    #expect(try tree["/sys/devices/system/cpu/cpu3/online"] == "1")
    #expect(try journal.originals() == [])
  }

  @Test func tellsWhatAnotherAgentChanged() async throws {
    let tree = try SettingsTree()
    let settings = tree.settings()
    try await settings.apply([.init("governor", "performance")], until: soon)
    try tree.directory.write(
      "sys/devices/system/cpu/cpufreq/policy2/scaling_governor", "powersave\n")
    #expect(
      try await settings.endWindow(until: soon).drift.map(\.description) == [
        "governor of cpu2-3: powersave, performance was set"
      ])
    // The next job finds it, too.
    #expect(
      try await settings.apply([.init("governor", "performance")], until: soon).changes
        .map(\.description) == ["governor of cpu2-3: powersave -> performance"])
  }

  /// Without a shell, a file that cannot be written is told with the kernel's word.
  @Test func aReadOnlyFileIsTold() async throws {
    let path = "/proc/sys/kernel/osrelease"
    let settings = DeviceSettings(
      target: Target(name: "here", connection: LocalConnection(), runID: "x"),
      journal: MemoryJournal())
    let failure = await #expect(throws: SettingFailure.self) {
      try await settings.apply([.init("sysfile_values", [path: "9.9"])], until: soon)
    }
    #expect(failure?.code == .notHeld)
    #expect(failure?.message == "sysfile_values: \(path) cannot be set to '9.9'")
    #expect(failure?.evidence.isEmpty == false)
  }

  @Test func listsWhatIsOffered() async throws {
    let tree = try SettingsTree()
    var catalog = try await SettingsCatalog.read(tree.settings().target, until: soon)
    let offers = try await catalog.offers(until: soon)
    let byName = Dictionary(
      offers.map { ($0.setting, $0) }, uniquingKeysWith: { first, _ in first })
    #expect(byName["cpu2_governor"]?.range == "ondemand, performance, powersave")
    #expect(byName["cpu2_governor"]?.value == "ondemand")
    #expect(byName["cpu2_max_frequency"]?.value == "2400 MHz")
    #expect(byName["cpu0_gov_tunables: sampling_rate"]?.value == "10000")
    #expect(byName["cpu3_idle_states"]?.value == "WFI, cpu-sleep")
    #expect(byName["devfreq: ff9a0000.gpu: governor"]?.value == "simple_ondemand")
    #expect(byName["thermal_zones: cpu-thermal: trips: 0"]?.value == "70.0 degC")
    #expect(byName["irq_affinity: eth0"]?.value == "0-3")
    #expect(byName["transparent_hugepages"]?.value == "madvise")
    #expect(catalog.cpus.kinds["big"] == [2, 3])
    #expect(catalog.cpus.kinds["a53"] == [0, 1])
    #expect(catalog.cpus.kinds["cortex_a72"] == [2, 3])
  }

  /// The kernel refuses a lower limit above the upper one, and the reverse: of each pair of limits every
  /// state must be reached from every other without such a moment.
  @Test func limitsMoveInAnOrderThatIsAlwaysLegal() {
    let lower = SettingPoint(
      file: "/min", "min", .number, stage: .limit, limit: .lower(than: "/max"))
    let upper = SettingPoint(
      file: "/max", "max", .number, stage: .limit, limit: .upper(than: "/min"))
    let states = [(600, 600), (600, 1000), (1000, 1000), (600, 1400), (1000, 1400), (1400, 1400)]
    for from in states {
      for to in states {
        var now = from
        let wishes = [
          SettingWish(lower, "\(to.0)", setting: "min"),
          SettingWish(upper, "\(to.1)", setting: "max")
        ]
        for start in [wishes, wishes.reversed()] {
          let ordered = SettingsOrder.sorted(
            start, known: ["/min": "\(from.0)", "/max": "\(from.1)"])
          for wish in ordered {
            let value = Int(wish.value) ?? 0
            if wish.point.id == "/min" { now.0 = value } else { now.1 = value }
            #expect(now.0 <= now.1, "\(from) to \(to): \(ordered.map(\.point.id))")
          }
          now = from
        }
      }
    }
  }
}

/// What the page says of settings.
@Suite struct SettingsDocumentationTests {
  @Test func everySettingIsOnThePage() throws {
    let top = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let page = String(decoding: try LocalFile.read(top + "/docs/settings.md"), as: UTF8.self)
    for declaration in DeviceSettings.declarations {
      let usage = declaration.usage.replacing("|", with: "\\|")
      #expect(page.contains("`\(usage)`"), "\(usage)")
    }
  }

  @Test func namesAreUniqueAndReadBack() {
    var seen: Set<String> = []
    for declaration in DeviceSettings.declarations {
      for name in [declaration.name] + declaration.aliases {
        #expect(seen.insert(name).inserted, "\(name)")
        let scope: SettingScope = declaration.reach == .oneCPU ? .cpu(3) : .all
        let written = scope == .all ? name : "cpu3_\(name)"
        #expect(
          SettingName(written, in: DeviceSettings.declarations)
            == SettingName(declaration.name, scope))
      }
      guard declaration.reach == .cpus else { continue }
      for scope in [SettingScope.cpu(12), .kind("big"), .kind("cortex_a53")]
      where scope != .cpu(12) || !declaration.name.hasPrefix("num_") {
        let name = SettingName(declaration.name, scope)
        #expect(SettingName(name.description, in: DeviceSettings.declarations) == name)
      }
    }
  }
}
