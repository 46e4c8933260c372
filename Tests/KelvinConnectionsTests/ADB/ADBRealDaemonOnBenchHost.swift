import Foundation
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Android's own adbd on USB, through FunctionFS of the bench host.
@Suite(
  .serialized, .enabled(if: ADBUSBBench.isThere, "needs the bench host"), .timeLimit(.minutes(10)))
struct ADBRealDaemonOnBenchHost {
  private var deadline: Deadline { ADBUSBBench.deadline }
  private static let daemon = ProcessInfo.processInfo.environment["KELVIN_ADBD"] ?? ""

  /// Where adbd looks for it (AOSP adbd/usb.h).
  private static let mount = "/dev/usb-ffs/adb"

  private static func start() async throws -> (ADBGadget, any RemoteProcess) {
    let gadget = try ADBGadget(mount: mount)
    let process = try await LocalConnection().start(
      Command(
        [daemon], environment: ["ADBD_PROPERTIES": "service.adb.tcp.port=-1"],
        standardOutput: .discard, standardError: .discard), until: ADBUSBBench.deadline)
    return (gadget, process)
  }

  /// It opens the function for a second at a time, and lets go of it when nobody plugs the device in by
  /// then; on Android that is init.
  private static func connect(_ device: ADBDirectDevice, by gadget: ADBGadget) throws {
    let deadline = ADBUSBBench.deadline
    while true {
      try? gadget.plug()
      do {
        return try device.reconnect(until: deadline.limited(toSeconds: 5))
      } catch { if deadline.hasPassed { throw error } }
    }
  }

  @Test(.enabled(if: !daemon.isEmpty, "needs adbd from scripts/build-adbd"))
  func runsCommandsAndMovesFilesAndIsUnplugged() async throws {
    let (gadget, process) = try await Self.start()
    let scratch = try Scratch()
    let device = ADBDirectDevice(
      usb: DeviceMatch([.init("ID_SERIAL_SHORT", "ADB0001")]),
      keys: ADBKeyStore(directory: scratch.path))
    try Self.connect(device, by: gadget)
    let connection = ADBConnection(device)
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "cat; echo error >&2; exit 7"], standardInput: .bytes(Array("input".utf8))),
      until: deadline)
    #expect(result.standardOutput.text == "input")
    #expect(result.standardError.text == "error\n")
    #expect(result.termination == .exited(7))
    for count in [0, 1, 512, 65_536, 300_001] {
      let bytes = FastbootTests.noise(count, seed: UInt64(count))
      try scratch.write("sent", bytes)
      let target = TargetPath(scratch.path + "/target")
      try await connection.push(scratch.path + "/sent", to: target, mode: 0o644, until: deadline)
      #expect(try scratch.read("target") == bytes, "\(count) bytes")
      try await connection.pull(target, to: scratch.path + "/back", until: deadline)
      #expect(try scratch.read("back") == bytes, "\(count) bytes")
    }
    // Another host comes while the daemon still speaks to this one.
    let link = try ADBTransport(device).open(until: deadline)
    try link.send(all: Array("yes | head -c 1000000\n".utf8), until: deadline)
    #expect(link.wait(toSend: false, until: deadline) == .ready)
    device.close()
    #expect(try adbShell(device, "exit 3", until: deadline).status == 3)
    let sleeping = try ADBTransport(device).open(until: deadline)
    try sleeping.send(all: Array("echo 0; exec sleep 60\n".utf8), until: deadline)
    #expect(sleeping.wait(toSend: false, until: deadline) == .ready)
    try gadget.unplug()
    let lost = adbFailure { try adbCollect(sleeping, until: deadline) }
    #expect(lost?.code == .connectionLost)
    try Self.connect(device, by: gadget)
    #expect(try adbShell(device, "exit 4", until: deadline).status == 4)
    device.close()
    try await process.signal(SIGKILL)
    _ = try await process.wait(until: deadline)
    withExtendedLifetime(gadget) {}
  }
}
