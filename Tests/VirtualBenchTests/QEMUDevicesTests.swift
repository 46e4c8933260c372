import Foundation
import KelvinModel
import KelvinSimulators
import Testing

/// QEMU's own USB devices, plugged into the bench host and pulled from outside: what the built kelvin
/// says of them there, with the kernel's drivers, a real udevd and libudev.
@Suite(.serialized, .needsGuests, .guest("host"), .timeLimit(.minutes(5)))
struct QEMUDevicesTests {
  let host: VirtualGuest
  let monitor: GuestMonitor

  init() throws {
    host = try #require(VirtualGuest.current)
    monitor = try GuestMonitor(host)
  }

  @Test func findsAnAdapterAndKnowsItAgainOnAnotherPort() throws {
    let watch = try host.watch()
    try monitor.plugAdapter("known", port: "1", serial: "A50285BI")
    let appeared = try watch.next("appeared", "serialPort", serial: "A50285BI")
    let identity = try #require(appeared["identity"]?.text)
    #expect(identity == "usb:0403:6001:A50285BI:00:port0")
    let found = try host.scan("serial adapter").first { $0["serial-number"] == "A50285BI" }
    let item = try #require(found)
    #expect(item["title"] == "FTDI FT232" && item["usb-id"] == "0403:6001")
    #expect(item["match"] == ["ID_SERIAL_SHORT": "A50285BI"])
    #expect(item["link"]?.text?.hasPrefix("/dev/serial/by-id/") == true)
    #expect(item["nodes"]?.list == [appeared["node"] ?? .null])
    let matched = try host.kelvinSucceeds(["bench", "match", "ID_SERIAL_SHORT=A50285BI"])
    #expect(matched.contains(appeared["node"]?.text ?? "?") && matched.contains(identity))

    try monitor.pull("known")
    let vanished = try watch.next("vanished", "serialPort", serial: "A50285BI")
    #expect(vanished["identity"]?.text == identity)
    let gone = try host.kelvin(["bench", "match", "ID_SERIAL_SHORT=A50285BI"])
    #expect(gone.code != 0 && gone.error.contains("no serial port matches"), "\(gone.error)")

    try monitor.plugAdapter("known", port: "4", serial: "A50285BI", wire: "wire-known")
    let returned = try watch.next("returned", "serialPort", serial: "A50285BI")
    #expect(returned["identity"]?.text == identity)
    #expect(returned["syspath"] != appeared["syspath"])
    try monitor.pull("known")
    _ = try watch.next("vanished", "usbDevice", serial: "A50285BI")
    try watch.interrupt()
  }

  @Test func tellsAdaptersWithOneSerialNumberApartByTheirPorts() throws {
    let watch = try host.watch()
    let ports = ["1", "4"]
    for port in ports {
      try monitor.plugAdapter("twin\(port)", port: port, serial: "0001")
      _ = try watch.next("appeared", "serialPort", serial: "0001")
    }
    let paths = ports.map { "pci-0000:00:03.0-usb-0:\($0)" }
    let items = try host.scan("serial adapter").filter { $0["serial-number"] == "0001" }
    #expect(items.map { $0["match"] } == paths.map { ["@ID_PATH": .text($0)] })
    for item in items {
      let notes = item["notes"]?.list?.compactMap(\.text).joined() ?? ""
      #expect(notes.contains("only the port tells them apart"))
    }
    let both = try host.kelvin(["bench", "match", "ID_SERIAL_SHORT=0001"])
    #expect(both.code != 0 && both.error.contains("matches 2 serial ports"), "\(both.error)")
    for path in paths { #expect(both.error.contains("{@ID_PATH: \(path)}"), "\(both.error)") }
    for (item, path) in zip(items, paths) {
      let one = try host.kelvinSucceeds(
        ["bench", "match", "ID_SERIAL_SHORT=0001", "@ID_PATH=\(path)"])
      #expect(one.contains(item["nodes"]?.list?.first?.text ?? "?"))
    }
    // The first one goes: the other is not taken for it.
    try monitor.pull("twin1")
    let vanished = try watch.next("vanished", "serialPort", serial: "0001")
    #expect(vanished["node"] == items.first?["nodes"]?.list?.first)
    #expect(try host.kelvin(["bench", "match", "@ID_PATH=\(paths[0])"]).code != 0)
    try host.kelvinSucceeds(["bench", "match", "@ID_PATH=\(paths[1])"])
    try monitor.pull("twin4")
    _ = try watch.next("vanished", "serialPort", serial: "0001")
  }

  @Test func cutsThePowerOfAHubsPort() throws {
    let image = host.folder + "/stick"
    let content = Data((0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
    try content.write(to: URL(fileURLWithPath: image))
    let watch = try host.watch()
    try monitor.plug("usb-hub", "hub", port: "2", ["port-power": true])
    _ = try watch.next("appeared", "usbDevice")
    try monitor.execute(
      "blockdev-add",
      ["node-name": "stick", "driver": "file", "filename": .text(image), "read-only": true])
    try monitor.plug(
      "usb-storage", "stick", port: "2.3", ["drive": "stick", "serial": "STICK1"])
    let disk = "/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_STICK1-0:0"
    let reads = """
      for try in $(seq 300); do [ -e \(disk) ] && break; sleep 0.1; done
      sha256sum < \(disk)
      """
    let sum = try host.execute(reads)
    #expect(
      try sum == VirtualGuest.program("/usr/bin/sha256sum", [image]).output.prefix(64) + "  -")

    // As the scan says it.
    var found: [String: Value]?
    // A scan waits for no hub longer than for its deadline, which a loaded emulator misses at times.
    try VirtualGuest.wait("the scan says how the hub switches") {
      found = try host.scan("hub with switchable ports").first { $0["usb-id"] == "0409:55aa" }
      return found?["power-switching"] == "per port"
    }
    let hub = try #require(found)
    #expect(hub["ports"]?.list?.count == 8)
    let match = try #require(hub["match"])
    let bench = """
      boards:
        stick:
          profile: generic-linux
          connection: local
          power: {usb-hub: {match: \(match.json), port: 3}}
      """
    _ = try watch.next("appeared", "usbDevice", serial: "STICK1")
    for _ in 0..<2 {
      #expect(
        try host.kelvinSucceeds(["power", "off", "stick"], bench: bench)
          == "stick: off (commanded)")
      _ = try watch.next("vanished", "usbDevice", serial: "STICK1")
      try host.execute(
        "for try in $(seq 100); do [ -e \(disk) ] || exit 0; sleep 0.1; done; exit 1")
      #expect(
        try host.kelvinSucceeds(["power", "state", "stick"], bench: bench)
          == "stick: off (commanded)")
      #expect(
        try host.kelvinSucceeds(["power", "on", "stick"], bench: bench) == "stick: on (commanded)")
      _ = try watch.next("returned", "usbDevice", serial: "STICK1")
      // The same bytes: the stick is a new disk to the kernel.
      #expect(try host.execute(reads) == sum)
    }
    try monitor.pull("stick")
    try monitor.pull("hub")
  }

  @Test func findsAKeyboardAndReadsItsReports() throws {
    let watch = try host.watch()
    try monitor.plug("usb-kbd", "keyboard", port: "3")
    let node = try #require(try watch.next("appeared", "hidDevice")["node"]?.text)
    let matched = try host.kelvinSucceeds([
      "bench", "match", "--as", "hid-device", "@ID_PATH=pci-0000:00:03.0-usb-0:3"
    ])
    #expect(matched.contains(node))
    // The report of a pressed 'a' (HID usage tables 1.4, 0x04), however often it must be pressed
    // until somebody reads.
    let output = host.folder + "/share/report"
    let reader = Process()
    reader.executableURL = URL(fileURLWithPath: VirtualGuest.root + "/scripts/virtual-bench")
    reader.arguments = [
      "exec", "--guest", host.name, "--", "sh", "-c",
      "head -c 8 \(node) | od -An -tx1 > /mnt/share/report.part && "
        + "mv /mnt/share/report.part /mnt/share/report"
    ]
    try reader.run()
    try VirtualGuest.wait("a report") {
      try monitor.execute("send-key", ["keys": [["type": "qcode", "data": "a"]]])
      return FileManager.default.fileExists(atPath: output)
    }
    reader.waitUntilExit()
    let report = try String(contentsOfFile: output, encoding: .utf8)
    #expect(["00 00 04 00 00 00 00 00", "00 00 00 00 00 00 00 00"].contains(report.trimmed))
    try monitor.pull("keyboard")
    #expect(try watch.next("vanished", "hidDevice")["node"]?.text == node)
  }

  /// The cable is pulled at any moment of the kernel's and udev's work, before and after it.
  @Test(arguments: [UInt64(3), 2024])
  func keepsUpWhenCablesArePulledDuringEnumeration(seed: UInt64) throws {
    print("seed \(seed)")
    let before = try present()
    let watch = try host.watch()
    // Somebody scans all the while.
    let scans = Process()
    scans.executableURL = URL(fileURLWithPath: VirtualGuest.root + "/scripts/virtual-bench")
    scans.arguments = [
      "exec", "--guest", host.name, "--", "sh", "-c",
      "for i in 1 2 3 4 5 6; do "
        + "\(VirtualGuest.root)/.build/debug/kelvin bench scan --format json >/dev/null || exit; done"
    ]
    try scans.run()
    try monitor.execute(
      "chardev-add", ["id": .text("flap\(seed)"), "backend": ["type": "null", "data": [:]]])
    var state = seed
    for round in 0..<24 {
      // splitmix64 (Steele, Lea, Flood 2014).
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
      mixed ^= mixed >> 31
      if round % 2 == 0 {
        try monitor.plugAdapter(
          "flap", port: "1", serial: "FLAP\(round % 3)", wire: "flap\(seed)")
      } else {
        try monitor.plug("usb-kbd", "flap", port: "1")
      }
      // Enumeration takes up to half a second here; this is when the cable is pulled.
      usleep(UInt32(mixed % 600_000))
      try monitor.pull("flap")
    }
    try monitor.plugAdapter("last\(seed)", port: "4", serial: "LAST\(seed)")
    _ = try watch.next("appeared", "serialPort", serial: "LAST\(seed)")
    scans.waitUntilExit()
    #expect(scans.terminationStatus == 0)
    try host.execute("udevadm settle --timeout=30")
    let stayed = try present().subtracting(before)
    #expect(stayed.count == 2, "an adapter: its USB device and its port; \(stayed)")
    try VirtualGuest.wait("what the watch told is what is there") {
      try watch.remaining() == stayed
    }
    try monitor.pull("last\(seed)")
    _ = try watch.next("vanished", "serialPort", serial: "LAST\(seed)")
    try VirtualGuest.wait("nothing is left") { try watch.remaining().isEmpty }
    try watch.interrupt()
  }

  /// Syspaths of what `kelvin bench watch` tells of, as sysfs has them.
  private func present() throws -> Set<String> {
    let text = try host.execute(
      """
      for path in /sys/bus/usb/devices/*; do [ -e $path/idVendor ] && readlink -f $path; done
      for path in /sys/class/tty/ttyUSB* /sys/class/hidraw/*; do
        [ -e $path ] && readlink -f $path
      done
      true
      """)
    return Set(text.split(separator: "\n").map(String.init))
  }

  @Test func switchesARelayBoardBehindAnAdapter() throws {
    let board = SimulatedRelayBoard(.lcus, relays: 4)
    let path = NSTemporaryDirectory() + "kelvin-relay-\(getpid())"
    let server = try DeviceServer(unix: path, board)
    defer {
      server.stop()
      unlink(path)
    }
    let watch = try host.watch()
    let address: Value = ["type": "unix", "data": ["path": .text(path)]]
    try monitor.execute(
      "chardev-add",
      [
        "id": "relay-wire",
        "backend": ["type": "socket", "data": ["addr": address, "server": false]]
      ])
    try monitor.plugAdapter("relay", port: "4", serial: "RELAY1", wire: "relay-wire")
    _ = try watch.next("appeared", "serialPort", serial: "RELAY1")
    let bench = """
      boards:
        rock:
          profile: generic-linux
          connection: local
          power: {lcus: {match: {ID_SERIAL_SHORT: RELAY1}, relay: 3}}
      """
    func kelvin(_ verb: String) throws -> String {
      try host.kelvinSucceeds(["power", verb, "rock"], bench: bench)
    }
    #expect(try kelvin("on") == "rock: on (commanded)")
    #expect(board.relays == [false, false, true, false])
    #expect(try kelvin("state") == "rock: on (commanded)")
    #expect(try kelvin("off") == "rock: off (commanded)")
    #expect(board.relays == [false, false, false, false])
    #expect(try kelvin("state") == "rock: off (commanded)")

    board.fault = .acknowledgesOnly
    let stuck = try host.kelvin(["power", "on", "rock"], bench: bench)
    #expect(stuck.code != 0 && stuck.error.contains("did not follow"), "\(stuck.error)")
    board.fault = .none
    try monitor.pull("relay")
    _ = try watch.next("vanished", "serialPort", serial: "RELAY1")
    let gone = try host.kelvin(["power", "on", "rock"], bench: bench)
    #expect(gone.code != 0 && gone.error.contains("no serial port matches"), "\(gone.error)")
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
