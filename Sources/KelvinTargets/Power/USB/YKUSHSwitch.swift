internal import KelvinDevices
public import KelvinModel

/// Yepkit's switchable hubs YKUSH, YKUSH 3 and YKUSH XS.
///
/// Protocol, from the maker's published command bytes: reports of 64 bytes to and from the hub's own
/// microcontroller; `1n` switches port n on, `0n` off, `2n` asks; the first byte of the answer is 1 when
/// the command was understood, the second then has the port in its low and the state in its high digit.
/// The kernel leaves these devices to libusb (drivers/hid/hid-quirks.c), so there is no hidraw.
public final class YKUSHSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "ykush",
    summary: "A port of a YKUSH, YKUSH 3 or YKUSH XS hub.",
    description: """
      Power and data of the port are cut by switches behind the hub's chip. After each switching the \
      hub is asked, and a port that did not follow is an error. That is what the hub's microcontroller \
      was told, not a voltage.
      """,
    options: USBDeviceChoice.options("YKUSH (04d8:f2f7, 0042, f11b or f0cd)") + [
      .output("port", of: 1...3)
    ], verified: "emulated device only")

  private let choice: USBDeviceChoice
  private let port: UInt8
  private let host: PowerHost

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    self.choice = try USBDeviceChoice(options)
    guard let port = options.integer("port"), (1...3).contains(port) else {
      throw PowerFailure(.configuration, "port \(options.integer("port") ?? 0): YKUSH have 1 to 3")
    }
    self.port = UInt8(port)
    self.host = host
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    let hub = try open(deadline)
    let answer = try await exchange((state == .on ? 0x10 : 0) | port, hub, deadline)
    guard answer[0] == 1 else {
      throw PowerFailure(
        .infrastructure, "\(hub.device.info): it refused to switch port \(port)",
        evidence: "its answer begins with \(answer[0])")
    }
    guard try await ask(hub, deadline) == state else {
      throw PowerFailure(
        .infrastructure,
        "\(hub.device.info): port \(port) was switched \(state.rawValue) and did not follow")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    PowerReading(try await ask(open(deadline), deadline), .commanded)
  }

  private func ask(
    _ hub: USBInterface, _ deadline: Deadline
  ) async throws(PowerFailure) -> PowerState {
    let answer = try await exchange(0x20 | port, hub, deadline)
    guard answer[0] == 1, answer[1] & 15 == port, answer[1] >> 4 <= 1 else {
      throw PowerFailure(
        .infrastructure, "\(hub.device.info): asked for port \(port), it said something else",
        evidence: "its answer begins with \(answer[0]), \(answer[1])")
    }
    return answer[1] >> 4 == 1 ? .on : .off
  }

  /// Sends a command, and gives the answer, of two bytes at least.
  private func exchange(
    _ command: UInt8, _ hub: USBInterface, _ deadline: Deadline
  ) async throws(PowerFailure) -> [UInt8] {
    try await powered { () async throws(USBFailure) in
      let output = try hub.endpoint(.interrupt, isIn: false)
      let input = try hub.endpoint(.interrupt, isIn: true)
      // The answer to an earlier command, whose asker was killed, may still be there.
      while try await isAnswerLeft(hub, input.address, deadline) {}
      let report = [command] + [UInt8](repeating: 0, count: 63)
      try await hub.write(output.address, report, until: deadline)
      let answer = try await hub.read(input.address, count: 64, until: deadline)
      return answer.count >= 2 ? answer : answer + [0, 0]
    }
  }

  private func isAnswerLeft(
    _ hub: USBInterface, _ address: UInt8, _ deadline: Deadline
  ) async throws(USBFailure) -> Bool {
    do {
      _ = try await hub.read(address, count: 64, until: deadline.limited(toSeconds: 0.02))
      return true
    } catch  where error.code == .timedOut && !deadline.hasPassed { return false }
  }

  private func open(_ deadline: Deadline) throws(PowerFailure) -> USBInterface {
    let info = try choice.find(host)
    let ports = [0xf2f7: 3, 0x0042: 3, 0xf11b: 3, 0xf0cd: 1] as [UInt16: UInt8]
    guard info.vendorID == 0x04d8, let count = ports[info.productID] else {
      throw PowerFailure(
        .configuration, "\(info) is no YKUSH",
        hint: "match the hub's controller (04d8:f2f7 for a YKUSH), not the hub chip beside it")
    }
    guard port <= count else {
      throw PowerFailure(.configuration, "\(info) has no port \(port): a YKUSH XS has one")
    }
    do {
      return try USBContext().open(info, dev: host.dev).claim(interface: 0, until: deadline)
    } catch { throw PowerFailure(error) }
  }
}
