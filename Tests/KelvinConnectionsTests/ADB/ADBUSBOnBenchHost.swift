import Foundation
import Glibc
import KelvinDevices
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// adb over USB without a server, through FunctionFS of the bench host.
@Suite(
  .serialized, .enabled(if: ADBUSBBench.isThere, "needs the bench host"), .timeLimit(.minutes(10)))
struct ADBUSBOnBenchHost {
  private var deadline: Deadline { ADBUSBBench.deadline }

  @Test func provesItselfByAKeyAndRunsCommands() async throws {
    var settings = SimulatedADBD.Settings()
    settings.isSecure = true
    let plugged = try PluggedADB(settings)
    let connection = ADBConnection(plugged.device)
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "cat; echo error >&2; exit 7"], standardInput: .bytes(Array("input".utf8))),
      until: deadline)
    #expect(result.standardOutput.text == "input")
    #expect(result.standardError.text == "error\n")
    #expect(result.termination == .exited(7))
    // A key that is known is not asked for again.
    plugged.daemon.setAcceptsKeys(false)
    plugged.device.close()
    #expect(try plugged.device.features(until: deadline).contains("shell_v2"))
    // Several commands over one shell.
    for number in 0..<10 {
      let echo = try await connection.execute(Command(["echo", "\(number)"]), until: deadline)
      #expect(echo.standardOutput.text == "\(number)\n")
    }
    await connection.close()
  }

  /// Sizes around those of packets, where empty packets matter, and around those of messages.
  @Test func filesGoBothWaysWhateverTheirSize() async throws {
    for (settings, largest) in [(SimulatedADBD.Settings(), 300_001), (.old, 9000)] {
      let plugged = try PluggedADB(settings)
      let scratch = try Scratch()
      let connection = ADBConnection(plugged.device)
      for count in [0, 1, 504, 512, 4096, largest] {
        let bytes = FastbootTests.noise(count, seed: UInt64(count))
        try scratch.write("sent", bytes)
        let target = TargetPath(scratch.path + "/target")
        try await connection.push(
          scratch.path + "/sent", to: target, mode: 0o644, until: deadline)
        #expect(try scratch.read("target") == bytes, "\(count) bytes")
        try await connection.pull(target, to: scratch.path + "/back", until: deadline)
        #expect(try scratch.read("back") == bytes, "\(count) bytes")
      }
      await connection.close()
    }
  }

  /// Whole messages whose payload is a number of whole packets, in both directions at once.
  @Test func streamsInBothDirectionsAtOnce() async throws {
    let plugged = try PluggedADB()
    let connection = ADBConnection(plugged.device)
    let bytes = FastbootTests.noise(1 << 20, seed: 5)
    let result = try await connection.execute(
      Command(["cat"], standardInput: .bytes(bytes)), until: deadline)
    #expect(result.standardOutput.bytes == bytes)
    await connection.close()
  }

  @Test func aPulledCableIsALostConnectionAndComesBack() async throws {
    let plugged = try PluggedADB()
    let connection = ADBConnection(plugged.device)
    let marker = try Scratch()
    async let lost: ConnectionFailure? = {
      do {
        _ = try await connection.execute(
          Command(["sh", "-c", "echo > \(marker.path)/began; exec sleep 100"]),
          until: .after(seconds: 100))
        return nil
      } catch { return error as? ConnectionFailure }
    }()
    while !FileManager.default.fileExists(atPath: marker.path + "/began") {
      try await Task.sleep(for: .milliseconds(20))
    }
    try plugged.gadget.unplug()
    let failure = await lost
    #expect(failure?.code == .connectionLost)
    #expect(failure?.message.contains("gone") == true, "\(failure?.message ?? "")")
    let absent = adbFailure { try plugged.device.features(until: adbSoon()) }
    #expect(absent?.code == .unreachable(.noAnswer))
    try plugged.gadget.plug()
    try plugged.device.reconnect(until: deadline)
    #expect(
      try await connection.execute(Command(["echo", "back"]), until: deadline).standardOutput.text
        == "back\n")
    await connection.close()
  }

  /// What a detached job is made of: the cable is away while the command runs.
  @Test func aDetachedCommandOutlivesItsCable() async throws {
    let plugged = try PluggedADB()
    let connection = ADBConnection(plugged.device)
    let scratch = try Scratch()
    try scratch.write("cable", [])
    let script =
      "while [ -e \(scratch.path)/cable ]; do sleep 0.1; done; echo alone; "
      + ": >\(scratch.path)/done; exit 3"
    let plan = DetachedPlan(
      Command(["sh", "-c", script]), directory: TargetPath(scratch.path + "/job"),
      name: "usb-\(getpid())", settleSeconds: 0, limitSeconds: 60)
    let run = try await DetachedRun.start(plan, through: connection, until: deadline)
    await connection.close()
    try plugged.gadget.unplug()
    unlink(scratch.path + "/cable")
    let end = deadline
    while !FileManager.default.fileExists(atPath: scratch.path + "/done") {
      try #require(!end.hasPassed, "the command did not outlive its cable")
      try await Task.sleep(for: .milliseconds(20))
    }
    let absent = await #expect(throws: ConnectionFailure.self) {
      try await run.state(through: connection, until: adbSoon())
    }
    #expect(absent?.code == .unreachable(.noAnswer))
    try plugged.gadget.plug()
    var result: CommandResult?
    while result == nil {
      do {
        if case .over(let outcome) = try await run.state(through: connection, until: adbSoon()) {
          result = try await run.collect(outcome, through: connection, until: end)
        }
      } catch {
        guard error.kind == .infrastructure, !end.hasPassed else { throw error }
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(result?.termination == .exited(3))
    #expect(result?.standardOutput.text == "alone\n")
    await connection.close()
  }

  /// The device is in the middle of telling an earlier host something: a message of which nothing was
  /// read, one whose head was read and whose payload was not, and then the answer to a greeting.
  @Test(arguments: [0, 1], [false, true])
  func whatAnEarlierHostLeftIsSkipped(transfers: Int, greets: Bool) async throws {
    let plugged = try PluggedADB()
    plugged.device.close()
    do {
      let info = try AndroidInterface.adb.find(nil)
      let interface = try AndroidInterface.adb.claim(info, until: deadline)
      let input = try interface.endpoint(.bulk, isIn: true)
      let output = try interface.endpoint(.bulk, isIn: false)
      func send(_ message: ADBMessage) async throws {
        try await interface.write(
          output.address, Array(message.encoded[..<ADBMessage.headerSize]), until: deadline)
        guard !message.payload.isEmpty else { return }
        try await interface.write(
          output.address, message.payload, endsWithEmptyPacket: true, until: deadline)
      }
      func receive() async throws -> ADBMessage.Header {
        let header = try ADBMessage.header(
          await interface.read(input.address, count: 512, until: deadline))
        let room = (header.length + 511) / 512 * 512
        if room > 0 { _ = try await interface.read(input.address, count: room, until: deadline) }
        return header
      }
      try await send(ADBMessage(.connect, 0x0100_0001, 1 << 20, Array("host::".utf8)))
      #expect(try await receive().command == .connect)
      // Its output waits to be read, whoever reads it.
      try await send(
        ADBMessage(.open, 1, 0, Array("exec:yes | head -c 300000; sleep 100".utf8) + [0]))
      #expect(try await receive().command == .okay)
      for _ in 0..<transfers {
        _ = try await interface.read(input.address, count: 512, until: deadline)
      }
      // A greeting that nobody waits for an answer to.
      if greets {
        try await send(ADBMessage(.connect, 0x0100_0001, 1 << 20, Array("host::".utf8)))
      }
      interface.release()
      interface.device.close()
    }
    let connection = ADBConnection(plugged.device)
    for number in 0..<5 {
      let result = try await connection.execute(
        Command(["sh", "-c", "echo \(number); exit \(number)"]), until: deadline)
      #expect(result.standardOutput.text == "\(number)\n")
      #expect(result.termination == .exited(Int32(number)))
    }
    await connection.close()
  }

  @Test func becomesRootAndReboots() async throws {
    var settings = SimulatedADBD.Settings()
    settings.downSeconds = 0.3
    let plugged = try PluggedADB(settings)
    #expect(try plugged.device.root(until: deadline) == .restarted)
    #expect(plugged.daemon.isRoot)
    try plugged.device.reboot(until: deadline)
    try plugged.device.reconnect(until: deadline)
    #expect(try plugged.device.userID(until: deadline) == 2000)
  }

  @Test(arguments: [
    ADBDFault.Kind.drop(after: 100), .corruptMagic(after: 100), .noExit, .refuse
  ]) func faultsAreTyped(kind: ADBDFault.Kind) async throws {
    let plugged = try PluggedADB()
    plugged.daemon.fault = ADBDFault(kind, service: "shell")
    let failure = adbFailure { try adbShell(plugged.device, "yes | head -c 1000; exit 3") }
    #expect(failure?.code == (kind == .refuse ? .unsupported : .connectionLost))
    plugged.daemon.fault = ADBDFault()
    try plugged.device.reconnect(until: deadline)
    #expect(try adbShell(plugged.device, "exit 3", until: deadline).status == 3)
  }

  @Test func twoWithOneSerialNumberAreToldApartByTheirPorts() async throws {
    let first = try PluggedADB()
    let second = try ADBTwin()
    defer { second.stop() }
    let match = DeviceMatch([.init("ID_SERIAL_SHORT", "ADB0001")])
    first.device.close()
    let failure = adbFailure { () throws(ConnectionFailure) in
      try ADBDirectDevice(usb: match).features(until: deadline)
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains("matches 2 USB devices") == true)
    let ports = USBDeviceInfo.all().filter { $0.serialNumber == "ADB0001" }.map(\.name)
    #expect(ports.count == 2)
    let words = (failure?.evidence ?? "") + (failure?.hint ?? "")
    #expect(words.contains("ID_PATH"), "\(words)")
    let devices = try UDevContext().devices(.usbDevice).filter { ports.contains($0.name) }
    for device in devices {
      let path = try #require(device.properties["ID_PATH"])
      let one = ADBDirectDevice(
        usb: DeviceMatch([.init("ID_PATH", path)]), keys: ADBKeyStore(directory: first.keys.path))
      let name = try #require(try one.banner(until: deadline).properties["ro.product.device"])
      #expect(name == (device.syspath.contains("dummy_hcd.1/") ? "second" : "simulated"))
      one.close()
    }
    let none = adbFailure {
      try ADBDirectDevice(usb: DeviceMatch([.init("ID_SERIAL_SHORT", "nobody")])).features(
        until: deadline)
    }
    #expect(none?.code == .unreachable(.noAnswer))
  }

  /// As Debian's server and client see it.
  @Test(.enabled(if: hasADB, "needs adb")) func debiansToolSeesADevice() async throws {
    let plugged = try PluggedADB()
    plugged.device.close()
    let scratch = try Scratch()
    let adb = try RealADB()
    defer { adb.stop() }
    try adb.server.wait(for: "device", of: .serial("ADB0001"), until: deadline)
    let devices = try await adb.run(["devices", "-l"])
    #expect(devices.standardOutput.text.contains("usb:"), "\(devices.standardOutput.text)")
    let shell = try await adb.run(["-s", "ADB0001", "shell", "echo out; exit 5"])
    #expect(shell.standardOutput.text == "out\n")
    #expect(shell.termination == .exited(5))
    let bytes = FastbootTests.noise(1_048_576, seed: 9)
    try scratch.write("file", bytes)
    let push = try await adb.run(
      ["-s", "ADB0001", "push", scratch.path + "/file", scratch.path + "/pushed"])
    #expect(push.isSuccess, "\(push.standardError.text)")
    #expect(try scratch.read("pushed") == bytes)
    let pull = try await adb.run(
      ["-s", "ADB0001", "pull", scratch.path + "/pushed", scratch.path + "/pulled"])
    #expect(pull.isSuccess, "\(pull.standardError.text)")
    #expect(try scratch.read("pulled") == bytes)
    // The server holds it: we say so, and by whom.
    let failure = adbFailure { try plugged.device.features(until: deadline) }
    #expect(failure?.code == .unreachable(.inUse))
    #expect(failure?.message.contains("'adb' (process") == true, "\(failure?.message ?? "")")
    #expect(failure?.hint.contains("adb kill-server") == true)
    let connection = ADBConnection(ADBServerDevice(adb.server, .serial("ADB0001")))
    let result = try await connection.execute(Command(["echo", "served"]), until: deadline)
    #expect(result.standardOutput.text == "served\n")
    await connection.close()
    // And when it has let go, it is ours.
    _ = try await adb.run(["kill-server"])
    try plugged.device.reconnect(until: deadline)
    #expect(try adbShell(plugged.device, "exit 4", until: deadline).status == 4)
  }
}
