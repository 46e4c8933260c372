import Foundation
import Glibc
import Testing

/// What a virtual x86 board has that boards have, on Debian's own kernel.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(5)))
struct X86BoardTests {
  func board() throws -> VirtualGuest { try #require(VirtualGuest.current) }
  private let cpufreq = "/sys/devices/system/cpu/cpufreq"

  @Test func bootsDebiansKernelToALogin() throws {
    let board = try board()
    #expect(board.consoleLog().contains("\(board.name) login:"))
    #expect(try board.run("uname -v").contains("Debian"))
  }

  @Test(arguments: [
    (0, [1_400_000, 1_000_000, 600_000]), (1, [2_400_000, 2_000_000, 1_500_000, 800_000])
  ])
  func hasACpufreqPolicyForEachCPUThatReallyChanges(cpu: Int, frequencies: [Int]) throws {
    let board = try board()
    let policy = "\(cpufreq)/policy\(cpu)"
    #expect(
      try board.run("cat \(policy)/scaling_available_frequencies").split(separator: " ")
        .compactMap { Int($0) } == frequencies)
    try board.run("echo userspace > \(policy)/scaling_governor")
    for frequency in frequencies {
      let read = try board.run(
        "echo \(frequency) > \(policy)/scaling_setspeed; cat \(policy)/scaling_cur_freq")
      #expect(read == "\(frequency)")
    }
    try board.run("echo schedutil > \(policy)/scaling_governor")
  }

  @Test func lendsAWorkloadWhoseRateFollowsTheFrequency() throws {
    let board = try board()
    func rate(_ governor: String) throws -> Double {
      let text = try board.run(
        "echo \(governor) > \(cpufreq)/policy1/scaling_governor; vb-work -c 1 -u 500")
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("rate ") })
      return try #require(Double(line.split(separator: " ")[1]))
    }
    let (fast, slow) = (try rate("performance"), try rate("powersave"))
    try board.run("echo schedutil > \(cpufreq)/policy1/scaling_governor")
    // 2400 and 800 MHz; the first reading after the change may be late by a slice.
    #expect(abs(fast / slow - 3) < 0.2, "\(fast) and \(slow) units/s")
  }

  @Test func showsTheValuesThatATestSets() throws {
    let board = try board()
    let values = ["power-mW=5555", "temperature-dK=3232", "battery-mV=10500", "battery-mWh=12000"]
    let set = try VirtualGuest.script(["live", board.name] + values)
    #expect(set.code == 0 && set.output.contains("power-mW=5555"))
    #expect(try board.run("cat /sys/class/thermal/thermal_zone0/temp") == "50000")
    // The kernel caches meter and battery for a second.
    try VirtualGuest.wait("power meter") {
      try board.run("cat /sys/bus/acpi/devices/ACPI000D:00/power1_average") == "5555000"
    }
    try VirtualGuest.wait("battery") {
      try board.run("cat /sys/class/power_supply/BAT0/voltage_now") == "10500000"
    }
  }

  @Test func takesACPUOffAndOn() throws {
    let board = try board()
    let cpu = "/sys/devices/system/cpu"
    #expect(try board.run("echo 0 > \(cpu)/cpu1/online; cat \(cpu)/online") == "0")
    #expect(try board.run("echo 1 > \(cpu)/cpu1/online; cat \(cpu)/online") == "0-1")
  }

  @Test func tracesFrequencyChanges() throws {
    let board = try board()
    let trace = "/sys/kernel/tracing"
    let text = try board.run(
      """
      echo 1 > \(trace)/events/power/cpu_frequency/enable
      echo performance > \(cpufreq)/policy1/scaling_governor
      echo powersave > \(cpufreq)/policy1/scaling_governor
      echo 0 > \(trace)/events/power/cpu_frequency/enable
      echo schedutil > \(cpufreq)/policy1/scaling_governor
      cat \(trace)/trace
      """)
    #expect(text.contains("cpu_frequency: state=800000 cpu_id=1"))
  }

  @Test func rebootsAfterAPanicAndByItsWatchdog() throws {
    let board = try board()
    func boots() -> Int { board.consoleLog().components(separatedBy: " login: ").count - 1 }
    func bootID() throws -> String { try board.run("cat /proc/sys/kernel/random/boot_id") }
    let first = try bootID()
    var seen = boots()
    // The connection dies with the kernel: the command's own result says nothing.
    _ = try VirtualGuest.script([
      "ssh", board.name, "--", "(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &"
    ])
    try VirtualGuest.wait("a login after the panic", seconds: 90) { boots() > seen }
    #expect(board.consoleLog().contains("Kernel panic"))
    let second = try bootID()
    #expect(second != first)
    seen = boots()
    // A watchdog that is opened, fed once and not closed properly fires.
    _ = try VirtualGuest.script([
      "ssh", board.name, "--",
      "rmmod i6300esb; modprobe i6300esb heartbeat=2 nowayout=1; echo 1 > /dev/watchdog"
    ])
    try VirtualGuest.wait("a login after the watchdog", seconds: 120) { boots() > seen }
    #expect(try bootID() != second)
  }
}
