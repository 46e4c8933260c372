internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// A chip of the kernel's gpio-sim: eight lines, one of which has a name.
package final class SimulatedGPIOChip: Sendable {
  private static let root = "/sys/kernel/config/gpio-sim"
  /// Whether this kernel has it, and this user may use it.
  package static let exists = access(root, W_OK) == 0
  /// What the chip is called.
  package let label = "kelvin-power"
  private let folder: String
  /// Where the chip shows what its lines are driven to.
  private let lines: String

  /// Plugs it in; the last reference pulls it.
  package init() throws(PlainFailure) {
    folder = "\(Self.root)/kelvin-power-\(getpid())"
    for directory in ["", "/bank0", "/bank0/line2"] { mkdir(folder + directory, 0o755) }
    do throws(Errno) {
      try SmallFile.write("8", to: folder + "/bank0/num_lines")
      try SmallFile.write(label, to: folder + "/bank0/label")
      try SmallFile.write("power-en", to: folder + "/bank0/line2/name")
      try SmallFile.write("1", to: folder + "/live")
    } catch {
      throw PlainFailure(.infrastructure, "\(folder): \(error)")
    }
    let device = SmallFile.text(folder + "/dev_name") ?? ""
    let chip = SmallFile.text(folder + "/bank0/chip_name") ?? ""
    lines = "/sys/devices/platform/\(device)/\(chip)"
    // The node is udevd's or devtmpfs's to make.
    let deadline = Deadline.after(seconds: 20)
    while access("/dev/\(chip)", F_OK) != 0, !deadline.hasPassed {
      _ = deadline.limited(toSeconds: 0.02).wait()
    }
  }

  deinit {
    try? SmallFile.write("0", to: folder + "/live")
    for directory in ["/bank0/line2", "/bank0", ""] { rmdir(folder + directory) }
  }

  /// What a line is driven to: seen from the other end.
  package func value(_ line: Int) -> String? { SmallFile.text("\(lines)/sim_gpio\(line)/value") }
}
