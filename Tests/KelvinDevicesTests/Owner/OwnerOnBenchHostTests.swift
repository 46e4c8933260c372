import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinDevices

/// A real serial adapter, made by the kernel's gadget framework, held by an owner: for the bench host
/// of the virtual bench.
@Suite(
  .serialized, .timeLimit(.minutes(2)),
  .enabled(
    if: access("/sys/class/udc/dummy_udc.0", F_OK) == 0 && geteuid() == 0
      && access("/sys/kernel/config/usb_gadget", F_OK) == 0 && UDevRules.isDaemonRunning,
    "needs dummy_hcd, configfs, udevd and root: run on the bench host of the virtual bench"))
struct OwnerOnBenchHostTests {
  private var limit: Deadline { .after(seconds: 30) }

  /// The device's own end of the line.
  private func farEnd() throws -> ConsoleWire {
    let descriptor = open("/dev/ttyGS0", O_RDWR | O_NOCTTY | O_NONBLOCK)
    guard descriptor >= 0, kelvin_tty_raw(descriptor, 115_200) == 0 else { throw Errno.current }
    return ConsoleWire(descriptor, name: "/dev/ttyGS0")
  }

  @Test func anAdapterIsHeldThroughItsUnplugging() throws {
    let gadget = try Gadget("kelvin-owner", vendor: 0x1d6b, product: 0x0104, serial: "OWNER0001")
    let scratch = try OwnerScratch()
    let owner = try OwnerInThread(scratch.places)
    let client = try owner.client()
    try gadget.plug()
    let match = DeviceMatch([DeviceMatch.Key("ID_SERIAL_SHORT", "OWNER0001")])
    let plugged = limit
    while (try? ConsoleAddress.node(of: match)) == nil { try #require(!plugged.hasPassed) }
    let choice = DriverChoice(
      "serial", options: ["match": ["ID_SERIAL_SHORT": "OWNER0001"], "baud": 1_500_000],
      location: SourceLocation(file: "bench.yaml"))
    let status = try client.open(console: "a", choice, until: limit)
    #expect(status.state == .open)
    // Not the number, which changes, but where it is plugged in.
    #expect(status.address.hasPrefix("serial:/dev/serial/by-path/"), "\(status.address)")
    // Linux raises both.
    #expect(status.lines == ControlLines(dtr: true, rts: true))

    var attachment = try client.attach("a", from: .first, until: limit)
    try client.takeWriter("a", until: limit)
    let all = (0...255).map { UInt8($0) }
    do {
      let wire = try farEnd()
      try wire.write(all)
      #expect(try client.read(&attachment, count: all.count) == all)
      try client.write(all, to: "a", until: limit)
      #expect(try wire.read(count: all.count) == all)
    }
    try client.set(ControlLines(dtr: false), of: "a", until: limit)
    #expect(try client.list(until: limit)[0].lines == ControlLines(dtr: false, rts: true))
    // f_acm says that it knows no breaks (bmCapabilities), and cdc_acm believes it.
    #expect {
      try client.sendBreak(to: "a", milliseconds: 20, until: limit)
    } throws: { ($0 as? OwnerFailure)?.code == .unsupported }

    try gadget.pull()
    #expect(try client.wait(&attachment) { $0 != .open }.name == "lost")
    try gadget.plug()
    #expect(try client.wait(&attachment) { $0 == .open } == .open)
    // As it was set, not as Linux sets it.
    #expect(try client.list(until: limit)[0].lines == ControlLines(dtr: false, rts: true))
    let wire = try farEnd()
    try wire.write(Array("back".utf8))
    #expect(try client.read(&attachment, count: 4) == Array("back".utf8))
  }
}
