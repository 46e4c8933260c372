import Foundation
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Whether this machine can emulate USB devices.
private enum FastbootGadget {
  static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"] ?? ""
  static let isThere =
    FileManager.default.fileExists(atPath: "/sys/class/udc/dummy_udc.0") && !programs.isEmpty
}

/// A boot loader on USB, through FunctionFS of the bench host: for us, and for Debian's fastboot.
@Suite(
  .serialized, .enabled(if: FastbootGadget.isThere, "needs the bench host"),
  .timeLimit(.minutes(5)))
final class FastbootUSBOnBenchHost {
  static let name = "kelvin-fastboot"
  static let mount = "/tmp/kelvin-fastboot"

  private let scratch: Scratch
  private let simulator: FastbootSimulator
  private let address = FastbootAddress.usb(DeviceMatch([.init("serial", "FB0001")]))
  private var deadline: Deadline { .after(seconds: 120) }

  init() throws {
    // One that a failed test left behind.
    try Self.shell("umount \(Self.mount) 2>/dev/null || :; gadget_remove \(Self.name)")
    try Self.shell("gadget_functionfs \(Self.name) FB0001 0x18d1 0xd00d \(Self.mount)")
    scratch = try Scratch()
    var setup = FastbootSimulator.Setup(
      .usb(
        GadgetPlace(
          mount: Self.mount, gadget: "/sys/kernel/config/usb_gadget/\(Self.name)")),
      directory: scratch.path, partitions: ["system": 4 << 20])
    setup.serial = "FB0001"
    setup.downloadLimit = 1 << 20
    simulator = try FastbootSimulator(setup)
  }

  deinit {
    simulator.stop()
    try? Self.shell("umount \(Self.mount); gadget_remove \(Self.name)")
  }

  private static func shell(_ words: String) throws {
    try FastbootTests.run("sh", "-ec", ". \(FastbootGadget.programs)/configfs.sh; \(words)")
  }

  @Test func movesDataBothWays() async throws {
    let device = try await FastbootDevice.open(address, patience: 20, until: deadline)
    #expect(try await device.variable("serialno", until: deadline) == "FB0001")
    #expect(try await device.variables(until: deadline).count > 10)
    let bytes = FastbootTests.noise(3_000_001)
    try scratch.write("image", bytes)
    let image = try FlashImage("\(scratch.path)/image", until: deadline)
    let report = try await device.flash(image, to: "system", until: deadline)
    #expect(report.parts == 3)
    #expect(try Array(scratch.read("system.img")[..<bytes.count]) == bytes)
    for count in [1, 511, 512, 513, 4096, 100_000] {
      try await device.oem("stage \(count)", until: deadline)
      #expect(
        try await device.upload(to: "\(scratch.path)/up", until: deadline) == Int64(count))
      #expect(
        try scratch.read("up") == (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    }
    try await device.reboot(toBootloader: true, until: deadline)
    device.close()
    // It is there for another moment.
    let match = DeviceMatch([.init("serial", "FB0001")])
    let limit = deadline
    while (try? AndroidInterface.fastboot.find(match)) != nil, !limit.hasPassed {
      try await Task.sleep(for: .milliseconds(10))
    }
    let again = try await FastbootDevice.open(address, patience: 20, until: deadline)
    #expect(try await again.variable("version", until: deadline) == "0.4")
  }

  @Test func debiansToolSeesIt() async throws {
    let tool = "/usr/bin/fastboot"
    try #require(FileManager.default.isExecutableFile(atPath: tool))
    let connection = LocalConnection()
    func run(_ words: String...) async throws -> CommandResult {
      try await connection.execute(
        Command(["timeout", "60", tool, "-s", "FB0001"] + words), until: deadline)
    }
    // It waits until it is there, and `timeout` ends it.
    let version = try await run("getvar", "version")
    #expect(version.standardError.text.contains("version: 0.4"))
    let devices = try await connection.execute(Command([tool, "devices"]), until: deadline)
    #expect(devices.standardOutput.text.contains("FB0001"))
    // A whole number of blocks: of others it makes sparse images that it calls broken itself.
    let bytes = FastbootTests.noise(732 * 4096, seed: 3)
    try scratch.write("image", bytes)
    let flash = try await run("flash", "system", "\(scratch.path)/image")
    #expect(flash.isSuccess, "\(flash.standardError.text)")
    #expect(try Array(scratch.read("system.img")[..<bytes.count]) == bytes)
  }

  @Test func aPulledCableIsALostLink() async throws {
    let device = try await FastbootDevice.open(address, patience: 20, until: deadline)
    #expect(try await device.variable("version", until: deadline) == "0.4")
    try Self.shell("gadget_unplug \(Self.name)")
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await device.variable("version", until: deadline)
    }
    #expect(failure?.code == .connectionLost)
    let absent = await #expect(throws: ConnectionFailure.self) {
      try await FastbootDevice.open(address, until: deadline)
    }
    #expect(absent?.code == .notFound)
  }
}
