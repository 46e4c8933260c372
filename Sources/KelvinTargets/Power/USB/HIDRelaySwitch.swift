internal import KelvinDevices
public import KelvinModel

/// Relays on a V-USB microcontroller (16c0:05df, `USBRelay1` to `USBRelay8`), sold under many names.
///
/// Protocol, as the tools sigrok-cli and usbrelay speak it: feature reports of 8 bytes; `FF n` closes
/// relay n, `FD n` opens it; a report read has the serial number in bytes 0 to 4 and the relays in the
/// bits of byte 7.
public final class HIDRelaySwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "hid-relay",
    summary: "A relay of a USBRelay board (HID, 16c0:05df).",
    description: """
      The board is asked after each switching, and a relay that did not follow is an error. That is \
      the state of the relay's driver, not of its contact.

      Wire the board's supply through the relay's normally open contact, so that a relay without \
      power is a board without power; with 'normally-closed: true' it is the other one.
      """,
    options: USBDeviceChoice.options("relay board") + [
      .output("relay", of: 1...8),
      OptionDeclaration(
        "normally-closed", .boolean, default: false,
        "The board is fed through the normally closed contact: an energized relay is off.")
    ], verified: "emulated device only")

  private let choice: USBDeviceChoice
  private let relay: Int
  private let isInverted: Bool
  private let host: PowerHost

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    self.choice = try USBDeviceChoice(options)
    relay = options.integer("relay") ?? 1
    guard (1...8).contains(relay) else {
      throw PowerFailure(.configuration, "relay \(relay): boards have 1 to 8")
    }
    isInverted = options.flag("normally-closed")
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let info = try find()
    let reports = HIDFeatureReports(info, host: host)
    let isEnergized = (state == .on) != isInverted
    try await reports.write(
      [isEnergized ? 0xff : 0xfd, UInt8(relay), 0, 0, 0, 0, 0, 0], until: deadline)
    guard try await isOn(reports, deadline) == isEnergized else {
      throw PowerFailure(
        .infrastructure,
        "\(info): relay \(relay) was switched \(isEnergized ? "on" : "off") and did not follow",
        hint: "its supply may be too weak for the coil; try it on another port or a powered hub")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    let isEnergized = try await isOn(HIDFeatureReports(find(), host: host), deadline)
    return PowerReading(isEnergized != isInverted ? .on : .off, .commanded)
  }

  private func isOn(
    _ reports: HIDFeatureReports, _ deadline: Deadline
  ) async throws(PowerFailure) -> Bool {
    let report = try await reports.read(count: 8, until: deadline)
    guard report.count == 8 else {
      throw PowerFailure(
        .infrastructure, "\(reports.info): its report has \(report.count) bytes instead of 8")
    }
    return report[7] & 1 << (relay - 1) != 0
  }

  /// The board; its ids are shared by everything that hobbyists build on V-USB, so its name decides.
  private func find() throws(PowerFailure) -> USBDeviceInfo {
    let info = try choice.find(host)
    let name = info.product ?? ""
    guard info.vendorID == 0x16c0, info.productID == 0x05df, name.hasPrefix("USBRelay") else {
      throw PowerFailure(
        .configuration, "\(info) is no USBRelay board",
        hint: "this switch drives 16c0:05df with a product name such as USBRelay2")
    }
    if let count = Int(name.dropFirst(8)), relay > count {
      throw PowerFailure(.configuration, "\(info) has no relay \(relay)")
    }
    return info
  }
}
