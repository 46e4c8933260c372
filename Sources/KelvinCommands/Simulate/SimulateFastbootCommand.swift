internal import ArgumentParser
internal import Glibc
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate fastboot`: a board in its boot loader.
struct SimulateFastbootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fastboot",
    abstract: "Stands in for a board in its boot loader, for fastboot over TCP, UDP or USB.",
    discussion: """
      Partitions are files in --directory; sparse images are expanded into them. It listens on \
      127.0.0.1 only, prints where, and then each command that it gets. On USB it is a gadget that \
      somebody has made by configfs, with FunctionFS mounted at --usb.

      Faults: \(BootloaderFaults.help).

      EXAMPLES
        kelvin simulate fastboot --tcp 5554 --partition system=64MiB --directory parts
        fastboot -s tcp:127.0.0.1:5554 flash system system.img
        kelvin simulate fastboot --udp 0 --for '60 s' --fault loss=0.05
        kelvin simulate fastboot --tcp 0 --fault fail=vendor --fault drop-after=1000000
      """)

  @Option(help: "The TCP port of 127.0.0.1; 0: a free one.") var tcp: UInt16?

  @Option(help: "The UDP port of 127.0.0.1; 0: a free one.") var udp: UInt16?

  @Option(help: "Where FunctionFS is mounted.", completion: .directory) var usb: String?

  @Option(help: "With --usb: the gadget's directory in configfs.", completion: .directory)
  var gadget: String?

  @Option(help: "With --usb: the controller to plug it into.") var udc = "dummy_udc.0"

  @Option(
    name: .customLong("partition"),
    help: "NAME=SIZE, several times; default: boot_a, boot_b, system and userdata.")
  var partitions: [String] = []

  @Option(
    help: "Where the partitions' files are; default: a temporary one.", completion: .directory)
  var directory: String?

  @Option(help: "Bytes of one download.") var maxDownload = "256 MiB"

  @Option(name: .customLong("var"), help: "NAME=VALUE, several times: a variable of its own.")
  var variables: [String] = []

  @Option(name: .customLong("fault"), help: "What it does wrong, several times.")
  var faults: [String] = []

  @Option(help: "How long it is away when it restarts.") var away = "1 s"

  @Option(name: .customLong("for"), help: "How long it lives; default: until it is ended.")
  var duration: TimeArgument?

  func validate() throws {
    guard [tcp != nil, udp != nil, usb != nil].count(where: { $0 }) == 1 else {
      throw ValidationError("one of --tcp, --udp and --usb is needed")
    }
    guard (usb == nil) == (gadget == nil) else {
      throw ValidationError("--usb and --gadget belong together")
    }
  }

  func run() async throws {
    let place: FastbootSimulator.Place =
      if let usb, let gadget {
        .usb(GadgetPlace(mount: usb, gadget: gadget, controller: udc))
      } else {
        tcp.map { .tcp($0) } ?? .udp(udp ?? 0)
      }
    let scratch = directory == nil ? try ScratchDirectory() : nil
    let directory = directory ?? scratch?.path ?? "."
    if self.directory != nil { mkdir(directory, 0o755) }
    var setup = FastbootSimulator.Setup(
      place, directory: directory, partitions: try sizes())
    setup.downloadLimit = try ByteCount.read(maxDownload, "--max-download")
    setup.awaySeconds = try DurationText.seconds(away, "--away")
    for text in variables {
      let (name, value) = try Self.pair(text, "--var")
      setup.variables[name] = value
    }
    for fault in faults where !setup.faults.add(fault) {
      throw ValidationError("--fault: '\(fault)' is none of \(BootloaderFaults.help)")
    }
    let stop = SignalInterrupt.begin()
    let until =
      duration.map { Deadline.after(seconds: $0.seconds, interrupt: stop) }
      ?? Deadline(time: nil, interrupt: stop)
    let simulator = try FastbootSimulator(setup) { Terminal.standardOutput.line($0) }
    Terminal.standardOutput.line(
      (usb.map { "usb \($0)" } ?? "\(tcp == nil ? "udp" : "tcp") 127.0.0.1:\(simulator.port)")
        + ", partitions in \(directory)")
    simulator.wait(until: until)
    simulator.stop()
    withExtendedLifetime(scratch) {}
  }

  private func sizes() throws -> [String: Int64] {
    guard !partitions.isEmpty else {
      return [
        "boot_a": 32 << 20, "boot_b": 32 << 20, "system": 256 << 20, "userdata": 256 << 20
      ]
    }
    var sizes: [String: Int64] = [:]
    for text in partitions {
      let (name, size) = try Self.pair(text, "--partition")
      guard !name.contains("/"), !name.hasPrefix(".") else {
        throw ValidationError("--partition: '\(name)' cannot be the name of a file")
      }
      sizes[name] = try ByteCount.read(size, "--partition \(name)")
    }
    return sizes
  }

  private static func pair(_ text: String, _ option: String) throws -> (String, String) {
    let sides = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard sides.count == 2 else {
      throw ValidationError("\(option): expected NAME=VALUE, found '\(text)'")
    }
    return (sides[0], sides[1])
  }
}
