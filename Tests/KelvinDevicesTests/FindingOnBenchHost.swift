import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinDevices

/// A real USB device, made by the kernel's gadget framework on dummy_hcd and handled by a real udevd:
/// for the bench host of the virtual bench.
@Suite(
  .serialized, .timeLimit(.minutes(2)),
  .enabled(
    if: access("/sys/class/udc/dummy_udc.0", F_OK) == 0 && geteuid() == 0
      && access("/sys/kernel/config/usb_gadget", F_OK) == 0 && UDevRules.isDaemonRunning,
    "needs dummy_hcd, configfs, udevd and root: run on the bench host of the virtual bench"))
struct FindingOnBenchHost {
  @Test func aSerialPortComesGoesAndIsTheSame() async throws {
    let gadget = try Gadget("kelvin-find", vendor: 0x1915, product: 0xc00a, serial: "FIND0001")
    let monitor = try HotplugMonitor(subsystems: ["tty"])
    #expect(monitor.source == .udev)
    let guardian = try limit(monitor, seconds: 60)
    defer {
      monitor.stop()
      guardian.join()
    }

    try gadget.plug()
    let appeared = try #require(await next(.appeared, monitor))
    #expect(appeared.device.serialNumber == "FIND0001")
    #expect(appeared.device.usbID?.description == "1915:c00a")
    #expect(appeared.device.links.contains { $0.contains("/dev/serial/by-") })
    #expect(KnownDevices.lookUp(appeared.device)?.driver == "ppk2")

    let context = try UDevContext()
    let match = DeviceMatch([DeviceMatch.Key("ID_SERIAL_SHORT", "FIND0001")])
    let found = try DeviceMatcher(match, role: .serialPort).find(in: context)
    #expect(found.node == appeared.device.node)
    try found.requireAccess()
    let whole = try DeviceMatcher.find(.serialPort, of: match, in: context)
    #expect(whole.parts.map(\.node) == [found.node])
    let item = try #require(
      EquipmentScan.run().items(.meter).first { $0.serialNumber == "FIND0001" })
    #expect(item.driver == "ppk2")

    try gadget.pull()
    let vanished = try #require(await next(.vanished, monitor))
    // The kernel's own event had lost it.
    #expect(vanished.device.serialNumber == "FIND0001")
    #expect(vanished.device.usbID?.description == "1915:c00a")
    #expect(throws: DeviceFailure.self) {
      try DeviceMatcher(match, role: .serialPort).find(in: context)
    }

    try gadget.plug()
    let returned = try #require(await next(.returned, monitor))
    #expect(returned.identity == vanished.identity)
  }

  @Test func udevdObeysTheRules() async throws {
    // The bench host runs what is on the machine's disk in a chroot.
    let reload = ["env", "SYSTEMD_IGNORE_CHROOT=1", "udevadm", "control", "--reload"]
    let rules = UDevRulesFile(directory: "/run/udev/rules.d")
    mkdir(rules.directory, 0o755)
    try rules.install()
    defer {
      unlink(rules.path)
      _ = try? run(reload)
    }
    try #require(run(reload) == 0)
    let monitor = try HotplugMonitor(subsystems: ["tty"])
    let guardian = try limit(monitor, seconds: 60)
    defer {
      monitor.stop()
      guardian.join()
    }
    let gadget = try Gadget("kelvin-rules", vendor: 0x1915, product: 0xc00a, serial: "../x y")
    try gadget.plug()
    let appeared = try #require(await next(.appeared, monitor))
    let link = try #require(
      appeared.device.links.first { $0.hasPrefix("/dev/kelvin/by-path/ppk2-") })
    // A serial number that is a path gives no link, here least of all.
    let own = appeared.device.links.filter { $0.hasPrefix("/dev/kelvin/") }
    #expect(own == [link])
    var status = stat()
    #expect(stat(link, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o660)
    let group = try #require(getgrnam(UDevRules.serialGroup)).pointee.gr_gid
    #expect(status.st_gid == group)

    try gadget.pull()
    _ = try #require(await next(.vanished, monitor))
    try gadget.rename(serial: "RULE0001")
    try gadget.plug()
    let named = try #require(await next(.appeared, monitor))
    #expect(named.device.links.contains("/dev/kelvin/ppk2-RULE0001-if00"))
  }

  private func run(_ argv: [String]) throws -> Int32 {
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var process = pid_t()
    guard posix_spawnp(&process, argv[0], nil, nil, words, environ) == 0 else {
      throw Errno.current
    }
    var status: Int32 = 0
    waitpid(process, &status, 0)
    return status
  }

  @Test func aHubIsAskedWhetherItSwitches() throws {
    let hub = try #require(
      UDevContext().devices(.usbHub).first { $0.syspath.contains("dummy_hcd") })
    let ports = HubPorts(hub, until: .after(seconds: 5))
    // drivers/usb/gadget/udc/dummy_hcd.c, hub_descriptor: individual power switching, one port.
    #expect(ports.switching == .perPort)
    #expect(ports.ports.map(\.number) == [1])
    #expect(ports.ports[0].disablePath != nil)
    #expect(ports.ports[0].isDisabled == false)
  }

  private func next(
    _ action: HotplugEvent.Action, _ monitor: HotplugMonitor
  ) async -> HotplugEvent? {
    for await event in monitor.events
    where event.action == action && event.device.name.hasPrefix("ttyACM") {
      return event
    }
    return nil
  }

  /// Ends the stream when nothing comes: the test fails instead of waiting.
  private func limit(_ monitor: HotplugMonitor, seconds: Double) throws -> NamedThread {
    let interrupt = monitor.interrupt
    return try NamedThread("limit") {
      if Deadline.after(seconds: seconds, interrupt: interrupt).wait() == .passed {
        monitor.stop()
      }
    }
  }
}

/// A CDC ACM gadget in configfs (Documentation/usb/gadget_configfs.rst).
final class Gadget {
  private let path: String
  private let made: [String]

  init(_ name: String, vendor: UInt16, product: UInt16, serial: String) throws {
    path = "/sys/kernel/config/usb_gadget/\(name)"
    made = [
      "", "/strings/0x409", "/configs/c.1", "/configs/c.1/strings/0x409", "/functions/acm.kelvin"
    ]
    for directory in made where mkdir(path + directory, 0o755) != 0 { throw Errno.current }
    try SmallFile.write("0x\(USBDeviceID.hex(vendor))", to: path + "/idVendor")
    try SmallFile.write("0x\(USBDeviceID.hex(product))", to: path + "/idProduct")
    try SmallFile.write(serial, to: path + "/strings/0x409/serialnumber")
    try SmallFile.write("Kelvin", to: path + "/strings/0x409/manufacturer")
    try SmallFile.write("Gadget", to: path + "/strings/0x409/product")
    guard symlink(path + "/functions/acm.kelvin", path + "/configs/c.1/acm.kelvin") == 0 else {
      throw Errno.current
    }
  }

  func rename(serial: String) throws {
    try SmallFile.write(serial, to: path + "/strings/0x409/serialnumber")
  }

  func plug() throws { try SmallFile.write("dummy_udc.0", to: path + "/UDC") }
  func pull() throws { try SmallFile.write("\n", to: path + "/UDC") }

  deinit {
    try? pull()
    unlink(path + "/configs/c.1/acm.kelvin")
    for directory in made.reversed() { rmdir(path + directory) }
  }
}
