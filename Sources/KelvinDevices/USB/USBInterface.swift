internal import CLibUSB
public import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A claimed interface of a device. Gives itself back with its last reference.
///
/// While it is claimed, the kernel's own driver (a serial port, a keyboard) is detached; it comes
/// back with the release.
public final class USBInterface: Sendable {
  public let device: USBDevice
  public let number: UInt8
  let uses = UseCount()
  private let current: Mutex<USBDescriptors.Interface>
  private let descriptors: USBDescriptors
  private let configuration: UInt8?
  private let devicesUse = Mutex<Int?>(nil)

  init(_ device: USBDevice, _ number: UInt8) throws(USBFailure) {
    let what = "claiming interface \(number)"
    guard let descriptors = device.info.descriptors() else {
      throw device.failure(.disconnected, what)
    }
    configuration = device.info.activeConfiguration
    guard let setting = descriptors.interface(number, configuration: configuration) else {
      throw USBFailure(
        .notFound, "\(device.info): it has no interface \(number)",
        evidence: descriptors.problems.joined(separator: "; "))
    }
    self.device = device
    self.number = number
    self.descriptors = descriptors
    current = Mutex(setting)
    try device.check(attempting: what) { libusb_claim_interface($0, Int32(number)) }
    guard let use = device.uses.begin({ [weak self] in self?.release() }) else {
      throw device.closed(what)
    }
    devicesUse.withLock { $0 = use }
  }

  deinit { release() }

  /// Cancels what is under way, and gives the interface back to the kernel when that has ended.
  /// Idempotent.
  public func release() {
    uses.close { [device = device, number, devicesUse = devicesUse.withLock { $0 }] in
      // Without it the interface never came into use, and the device may be closed by now.
      guard let devicesUse else { return }
      // Fails when the device is gone, and then there is nothing to give back.
      libusb_release_interface(device.handle.raw, Int32(number))
      device.uses.end(devicesUse)
    }
  }

  // MARK: settings and endpoints

  /// The setting that is in force.
  public var setting: USBDescriptors.Interface { current.withLock { $0 } }

  /// Chooses another setting of the interface. Blocks.
  public func setAlternate(_ alternate: UInt8) throws(USBFailure) {
    let what = "interface \(number), setting \(alternate)"
    guard
      let setting = descriptors.interface(
        number, alternate: alternate, configuration: configuration)
    else { throw device.failure(.notFound, what) }
    try device.check(attempting: what) {
      libusb_set_interface_alt_setting($0, Int32(number), Int32(alternate))
    }
    current.withLock { $0 = setting }
  }

  /// Revives an endpoint that answered with a stall. Blocks.
  public func clearHalt(_ address: UInt8) throws(USBFailure) {
    let what = "clearing the halt of endpoint \(USBDescriptors.Endpoint.text(address))"
    try device.check(attempting: what) { libusb_clear_halt($0, address) }
  }

  /// The first endpoint of a kind and direction.
  public func endpoint(
    _ kind: USBDescriptors.Endpoint.Kind, isIn: Bool
  ) throws(USBFailure) -> USBDescriptors.Endpoint {
    let found = setting.endpoints.first { $0.kind == kind && $0.isIn == isIn }
    guard let found else {
      throw USBFailure(
        .notFound,
        "\(device.info): interface \(number) has no \(kind) endpoint \(isIn ? "IN" : "OUT")")
    }
    return found
  }

  func endpoint(at address: UInt8) throws(USBFailure) -> USBDescriptors.Endpoint {
    let found = setting.endpoints.first {
      $0.address == address && ($0.kind == .bulk || $0.kind == .interrupt)
    }
    guard let found else {
      throw USBFailure(
        .notFound,
        "\(device.info): interface \(number) has no bulk or interrupt endpoint "
          + USBDescriptors.Endpoint.text(address))
    }
    return found
  }
}

// MARK: transfers

extension USBInterface {
  /// Reads one transfer into a buffer of the caller's.
  ///
  /// - Parameter count: at most; nil means all of the buffer. Should be a multiple of the endpoint's
  ///   packet size. The transfer ends early with the first packet that is not full.
  /// - Returns: how many bytes came; 0 for an empty packet.
  public func read(
    _ address: UInt8, into transfer: USBTransfer, count: Int? = nil, until deadline: Deadline
  ) async throws(USBFailure) -> Int {
    precondition(address & 0x80 != 0, "endpoint \(address) is not IN")
    let endpoint = try endpoint(at: address)
    return try await device.run(
      .endpoint(address, endpoint.kind, endsWithEmptyPacket: false), transfer,
      count ?? transfer.capacity, owner: uses, until: deadline)
  }

  /// Reads one transfer.
  public func read(
    _ address: UInt8, count: Int, until deadline: Deadline
  ) async throws(USBFailure) -> [UInt8] {
    let transfer = device.borrow(count)
    defer { device.giveBack(transfer) }
    let moved = try await read(address, into: transfer, count: count, until: deadline)
    return transfer.bytes(moved)
  }

  /// Writes the first bytes of a buffer of the caller's.
  ///
  /// - Parameter endsWithEmptyPacket: adds an empty packet when the last one is full, for protocols
  ///   that mark the end of a message by a packet that is not.
  /// - Throws: with ``USBFailure/transferred`` bytes that had gone out.
  public func write(
    _ address: UInt8, from transfer: USBTransfer, count: Int, endsWithEmptyPacket: Bool = false,
    until deadline: Deadline
  ) async throws(USBFailure) {
    precondition(address & 0x80 == 0, "endpoint \(address) is not OUT")
    let endpoint = try endpoint(at: address)
    _ = try await device.run(
      .endpoint(address, endpoint.kind, endsWithEmptyPacket: endsWithEmptyPacket), transfer,
      count, owner: uses, until: deadline)
  }

  /// Writes one transfer; no bytes are an empty packet.
  public func write(
    _ address: UInt8, _ bytes: [UInt8], endsWithEmptyPacket: Bool = false, until deadline: Deadline
  ) async throws(USBFailure) {
    let transfer = device.borrow(bytes.count)
    defer { device.giveBack(transfer) }
    transfer.fill(bytes)
    try await write(
      address, from: transfer, count: bytes.count, endsWithEmptyPacket: endsWithEmptyPacket,
      until: deadline)
  }
}

extension USBDevice {
  /// Claims an interface for this process. Blocks while the kernel's driver lets go of it.
  ///
  /// - Throws: `busy` when another program has it.
  public func claim(interface number: UInt8) throws(USBFailure) -> USBInterface {
    try USBInterface(self, number)
  }

  /// The same, but waits while another program has it: several boards may hang on one hub or relay
  /// board, each switched by its own command. Not longer than five seconds: that takes less than one.
  public func claim(
    interface number: UInt8, until deadline: Deadline
  ) throws(USBFailure) -> USBInterface {
    let patience = deadline.limited(toSeconds: 5)
    while true {
      do {
        return try claim(interface: number)
      } catch {
        // Nothing announces that it is free: it is tried again.
        guard error.code == .busy, patience.limited(toSeconds: 0.02).wait() == .passed,
          !patience.hasPassed
        else { throw error }
      }
    }
  }
}
