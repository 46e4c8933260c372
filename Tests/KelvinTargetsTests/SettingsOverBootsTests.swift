import Foundation
import KelvinModel
import Testing

@testable import KelvinTargets

/// What is known of a board's settings after it has booted.
@Suite(.timeLimit(.minutes(1))) struct SettingsOverBootsTests {
  private static let cpu = "sys/devices/system/cpu"
  private static let big: [JobSpec.Setting] = [.init("big_governor", "powersave")]

  /// A tree whose settings were applied once, and whose boot undid them; what told big from little CPUs is
  /// gone, so that whoever reads it anew does not know them any more.
  private func booted() async throws -> (SettingsTree, DeviceSettings) {
    let tree = try SettingsTree()
    let settings = tree.settings()
    _ = try await settings.apply(
      Self.big + [.init("thermal_zones", ["cpu-thermal": ["mode": "disabled"]])], until: soon)
    try tree.directory.write("\(Self.cpu)/cpufreq/policy2/scaling_governor", "ondemand\n")
    for cpu in 0..<4 {
      for file in ["cpu_capacity", "regs/identification/midr_el1"] {
        try FileManager.default.removeItem(
          atPath: "\(tree.directory.path)/\(Self.cpu)/cpu\(cpu)/\(file)")
      }
    }
    return (tree, settings)
  }

  @Test func cpusAreKnownWhenTheSameSystemBootsAgain() async throws {
    let (tree, settings) = try await booted()
    settings.forget(isSameSystem: true)
    let changes = try await settings.apply(Self.big, until: soon).changes
    #expect(changes.contains { $0.description.contains("ondemand -> powersave") }, "\(changes)")
    #expect(try tree["/\(Self.cpu)/cpufreq/policy2/scaling_governor"] == "powersave")
  }

  @Test func anotherSystemIsReadAnew() async throws {
    let (tree, settings) = try await booted()
    settings.forget()
    let failure = await #expect(throws: SettingFailure.self) {
      try await settings.apply(Self.big, until: soon)
    }
    #expect(failure?.code == .notOffered)
    #expect(try tree["/\(Self.cpu)/cpufreq/policy2/scaling_governor"] == "ondemand")
  }

  @Test func whichCPUsAreOnlineIsAskedAfterABoot() async throws {
    let (tree, settings) = try await booted()
    try tree.directory.write("\(Self.cpu)/online", "0-2\n")
    try tree.directory.write("\(Self.cpu)/cpu3/online", "0\n")
    settings.forget(isSameSystem: true)
    try await settings.apply([.init("cpu3_online", true)], until: soon)
    #expect(try tree["/\(Self.cpu)/cpu3/online"] == "1")
  }

  /// CPUs that nobody knew: all of them are looked at.
  @Test func aBoardWithOtherCPUsIsReadAnew() async throws {
    let (tree, settings) = try await booted()
    try tree.directory.write("\(Self.cpu)/online", "0-4\n")
    settings.forget(isSameSystem: true)
    let failure = await #expect(throws: SettingFailure.self) {
      try await settings.apply(Self.big, until: soon)
    }
    #expect(failure?.code == .notOffered)
  }

  /// Zones are numbered as they are found, which may differ from boot to boot.
  @Test func otherDevicesAreReadAnew() async throws {
    let (tree, settings) = try await booted()
    try tree.directory.write("sys/class/thermal/thermal_zone0/type", "gpu-thermal\n")
    settings.forget(isSameSystem: true)
    try await settings.apply(
      [.init("thermal_zones", ["gpu-thermal": ["governor": "user_space"]])], until: soon)
    #expect(try tree["/sys/class/thermal/thermal_zone0/policy"] == "user_space")
  }
}
