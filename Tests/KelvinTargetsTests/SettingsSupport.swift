import KelvinModel
import Synchronization

@testable import KelvinConnections
@testable import KelvinTargets

/// Keeps original values in memory, and what was done with them.
final class MemoryJournal: SettingsJournal {
  struct State {
    var originals: [SettingOriginal] = []
    var isFull = false
  }
  let state = Mutex(State())

  init(_ originals: [SettingOriginal] = []) {
    state.withLock { $0.originals = originals }
  }

  func originals() throws -> [SettingOriginal] { state.withLock { $0.originals } }

  func keep(_ originals: [SettingOriginal]) throws {
    try state.withLock { state in
      if state.isFull { throw PlainFailure(.infrastructure, "disk full") }
      for original in originals
      where !state.originals.contains(where: { $0.point.id == original.point.id }) {
        state.originals.append(original)
      }
    }
  }

  func forget(_ ids: [String]) throws {
    state.withLock { state in state.originals.removeAll { ids.contains($0.point.id) } }
  }
}

/// A recorded tree of /sys and /proc with two kinds of CPUs, cpufreq, cpuidle, devfreq and more. Its
/// files take whatever is written; what only a kernel refuses is tried on the virtual boards.
struct SettingsTree {
  let directory: Directory

  init() throws {
    directory = try Directory()
    func file(_ path: String, _ text: String) throws { try directory.write(path, text + "\n") }
    let cpu = "sys/devices/system/cpu"
    try file("proc/sys/kernel/random/boot_id", "b0070000-0000-4000-8000-000000000001")
    try file("proc/sys/kernel/osrelease", "6.1.0")
    try file("proc/sys/kernel/version", "#1")
    try file("proc/sys/kernel/arch", "aarch64")
    try file("proc/sys/vm/swappiness", "60")
    try file("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456")
    try file("\(cpu)/online", "0-3")
    try file("\(cpu)/present", "0-3")
    for number in 0..<4 {
      let one = "\(cpu)/cpu\(number)"
      if number > 0 { try file("\(one)/online", "1") }
      try file("\(one)/cpu_capacity", number < 2 ? "446" : "1024")
      try file(
        "\(one)/regs/identification/midr_el1",
        number < 2 ? "0x00000000410fd034" : "0x00000000410fd083")
      try file("\(one)/power/pm_qos_resume_latency_us", "0")
      for (index, name) in ["WFI", "cpu-sleep"].enumerated() {
        let state = "\(one)/cpuidle/state\(index)"
        try file("\(state)/name", name)
        try file("\(state)/desc", index == 0 ? "wait for interrupt" : "retention")
        try file("\(state)/disable", "0")
      }
    }
    try file("\(cpu)/cpuidle/available_governors", "menu teo")
    try file("\(cpu)/cpuidle/current_governor", "menu")
    for (policy, cpus, table) in [
      (0, "0 1", "600000 1000000 1400000"), (2, "2 3", "800000 1500000 2400000")
    ] {
      let root = "\(cpu)/cpufreq/policy\(policy)"
      let frequencies = table.split(separator: " ").map(String.init)
      try file("\(root)/related_cpus", cpus)
      try file(
        "\(root)/scaling_available_governors",
        policy == 0 ? "ondemand performance powersave userspace" : "ondemand performance powersave")
      try file("\(root)/scaling_available_frequencies", table)
      try file("\(root)/cpuinfo_min_freq", frequencies[0])
      try file("\(root)/cpuinfo_max_freq", frequencies[2])
      try file("\(root)/scaling_governor", "ondemand")
      try file("\(root)/scaling_min_freq", frequencies[0])
      try file("\(root)/scaling_max_freq", frequencies[2])
      try file("\(root)/scaling_setspeed", "<unsupported>")
      try file("\(root)/ondemand/sampling_rate", "10000")
    }
    let gpu = "sys/class/devfreq/ff9a0000.gpu"
    try file("\(gpu)/governor", "simple_ondemand")
    try file("\(gpu)/available_governors", "userspace performance simple_ondemand")
    try file("\(gpu)/available_frequencies", "200000000 400000000 800000000")
    try file("\(gpu)/min_freq", "200000000")
    try file("\(gpu)/max_freq", "800000000")
    let zone = "sys/class/thermal/thermal_zone0"
    try file("\(zone)/type", "cpu-thermal")
    try file("\(zone)/policy", "step_wise")
    try file("\(zone)/available_policies", "user_space step_wise")
    try file("\(zone)/mode", "enabled")
    try file("\(zone)/trip_point_0_temp", "70000")
    let pages = "sys/kernel/mm/transparent_hugepage"
    try file("\(pages)/enabled", "always [madvise] never")
    try file("\(pages)/defrag", "always defer [madvise] never")
    try file("proc/irq/default_smp_affinity", "f")
    for number in [1, 33] {
      try file("proc/irq/\(number)/smp_affinity_list", "0-3")
      try file("proc/irq/\(number)/\(number == 1 ? "timer" : "eth0")/x", "")
    }
    try file("sys/bus/usb/devices/1-1/power/control", "auto")
    try file("sys/fs/cgroup/cgroup.controllers", "cpu cpuset")
    try file("sys/fs/cgroup/bench/cpu.uclamp.max", "max")
    try file("sys/fs/cgroup/bench/cpuset.cpus", "0-3")
  }

  func settings(_ journal: MemoryJournal = .init()) -> DeviceSettings {
    DeviceSettings(
      target: Target(
        name: "tree",
        connection: CountingConnection(
          LocalConnection(root: directory.path), tree: directory.path), runID: "settings"),
      journal: journal)
  }

  /// A file as it is now.
  subscript(path: String) -> String {
    get throws {
      var text = try String(
        decoding: LocalFile.read(directory.path + path), as: UTF8.self)
      while text.last?.isNewline == true { text.removeLast() }
      return text
    }
  }
}
