import Foundation
import Glibc
import KelvinModel
import Testing

// Settings that a board must have something for: swap, an interface, a USB device, control groups.
extension SettingsTests {
  /// What they need, made once, and everything that they may change.
  private static let things = """
    [ -e /sys/class/net/dummy0 ] || {
    modprobe -a zram dummy xhci-pci usbhid
    [ -e /sys/block/zram1 ] || cat /sys/class/zram-control/hot_add
    for d in zram0 zram1; do echo 8M >/sys/block/$d/disksize; mkswap /dev/$d; done
    # Listed in another order than that of their priorities: -3, -2.
    swapon /dev/zram1; swapon /dev/zram0; swapoff /dev/zram1; swapon /dev/zram1
    ip link set dummy0 up; ip addr add 192.0.2.1/24 dev dummy0; ip route add 198.51.100.0/24 via 192.0.2.9
    mount -t cgroup2 none /sys/fs/cgroup; echo +cpu +cpuset >/sys/fs/cgroup/cgroup.subtree_control
    mkdir /sys/fs/cgroup/job
    } >/dev/null
    """
  private static let see = """
    awk 'NR > 1 { print $1, $5 }' /proc/swaps | sort
    f=$(cat /sys/class/net/dummy0/flags); echo up $((f & 1)); ip route show dev dummy0 | sort
    cat /sys/bus/usb/devices/*/power/control | sort | uniq -c
    for i in /proc/irq/*/xhci_hcd; do cat ${i%/*}/smp_affinity_list; done | sort -u
    cat /proc/irq/default_smp_affinity \(cpu)/cpuidle/current_governor
    cd /sys/fs/cgroup/job; echo $(cat cpu.weight cpu.max cpuset.cpus)
    """

  private func script(_ text: String, _ name: String) throws -> String {
    let path = "\(folder)/\(name).sh"
    try (text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func devicesOfTheKernelAreSetAndPutBack() throws {
    try board.run(Self.things)
    let keyboard = try GuestMonitor(board)
    try keyboard.plug("usb-kbd", "keys", port: "1")
    try VirtualGuest.wait("the keyboard is there") {
      try board.run("cat /sys/bus/usb/devices/1-1/power/control 2>/dev/null || true") == "on"
    }
    let before = try board.run(Self.see)
    #expect(before.hasPrefix("/dev/zram0 -2\n/dev/zram1 -3\nup 1\n"), "\(before)")
    #expect(before.contains("198.51.100.0/24 via 192.0.2.9"), "\(before)")
    let done = try run(
      """
      config: {augmentations: [execution_time], max_retries: 0}
      sections:
        - id: other
          runtime_params:
            swap: false
            network: false
            usb_autosuspend: true
            irq_affinity: {xhci_hcd: 2-3, default: 0-1}
            cpuidle_governor: ladder
            cgroup_values: {job: {cpu.weight: 50, cpu.max: 20000 100000, cpuset.cpus: 1-2}}
        - {id: plain}
      workloads:
        - {name: shellscript, params: {script_file: \(try script(Self.see, "see"))}}
      """, "kernel")
    #expect(done.code == 0, "\(done)")
    let lines = try output(of: "kernel", job: 1).split(separator: "\n").map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    #expect(lines == ["up 0", "3 auto", "2-3", "3", "ladder", "50 20000 100000 1-2"], "\(lines)")
    #expect(try output(of: "kernel", job: 2) == before)
    #expect(try board.run(Self.see) == before)
    // A unit needs a systemd, and uclamp a kernel that has it.
    let refused = try run(
      "workloads: [{name: command, runtime_params: {stop_services: [cron]}, params: {argv: ['true']}}]",
      "units")
    #expect(refused.error.contains("the board has no systemd"), "\(refused)")
    try keyboard.pull("keys")
  }

  /// An interconnect whose driver asks for nothing but a clock and operating points.
  @Test func aDeviceOfDevfreqIsSetAndPutBack() throws {
    try board.run("modprobe -a governor_simpleondemand governor_userspace imx-bus")
    let see = "cd /sys/class/devfreq/interconnect; echo $(cat governor min_freq max_freq)"
    let before = try board.run(see)
    #expect(before == "userspace 100000000 400000000")
    let done = try run(
      """
      config: {augmentations: [execution_time], max_retries: 0}
      workloads:
        - name: command
          runtime_params: {devfreq: {interconnect: {min_frequency: 200 MHz, max_frequency: 200 MHz}}}
          params: {argv: [sh, -c, '\(see)']}
      """, "devfreq")
    #expect(done.code == 0, "\(done)")
    #expect(try output(of: "devfreq", job: 1) == "userspace 200000000 200000000")
    #expect(try board.run(see) == before)
    let refused = try target("set", "arm", "devfreq={interconnect: {max_frequency: 300 MHz}}")
    #expect(refused.code != 0 && refused.error.contains("200 MHz"), "\(refused)")
    let listed = try target("settings", "arm")
    #expect(listed.output.contains("devfreq: interconnect: governor"), "\(listed)")
  }

  /// By its console a board can be without any network; the way to it, and the default route, come back.
  @Test func aBoardOnItsConsoleIsWithoutNetwork() throws {
    let look = "ip -4 addr show dev eth0 | grep -o 'inet [^ ]*'; ip route | sort"
    let before = try board.run(look)
    #expect(before.contains("default via 10.0.2.2"), "\(before)")
    let text = """
      boards:
        arm:
          profile: virtual-arm
          console: {socket: {path: \(board.console), login: root, password-from: 'env:BOARD_PASSWORD'}}

      """
    let agenda = try agenda(
      """
      config: {augmentations: [execution_time], max_retries: 0}
      workloads:
        - name: command
          runtime_params: {network: false}
          params: {argv: [sh, -c, 'cat /sys/class/net/eth0/flags; ip route | wc -l']}
      """, "dark")
    setenv("BOARD_PASSWORD", "kelvin", 1)
    let done = try bench.kelvin(
      ["run", agenda, "--board", "arm", "-d", "\(folder)/dark"], bench: text)
    #expect(done.code == 0, "\(done)")
    #expect(try output(of: "dark", job: 1) == "0x1002\n0", "\(done)")
    try VirtualGuest.wait("the network is back") { try board.run(look) == before }
  }
}
