internal import KelvinDevices
internal import KelvinModel

/// A Monsoon while it is open: its values by control requests, its samples by an endpoint.
struct MonsoonPort: Sendable {
  let name: String
  let device: USBDevice
  let interface: USBInterface
  /// Its endpoint of samples (PyMonsoon, Monsoon/pmapi.py, BulkRead).
  static let endpoint: UInt8 = 0x81

  /// In seconds.
  private static let patience = 3.0
  /// A hundred times what it takes from one packet to the next.
  private static let silence = 0.1

  /// Opens one, taking it from the kernel's HID driver, which gets it back.
  init(name: String, _ found: HostDevice, until deadline: Deadline) throws(MeterFailure) {
    self.name = name
    guard let info = USBDeviceInfo(syspath: found.syspath) else {
      throw MeterFailure(.gone, "\(name): no longer plugged in", hint: "look at its cable")
    }
    do throws(USBFailure) {
      device = try USBContext().open(info)
      interface = try device.claim(interface: 0, until: deadline.limited(toSeconds: 1))
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Asks for a value.
  ///
  /// - Throws: `malfunction` when it answers with its error, as it does while it samples.
  func get(_ value: MonsoonValue, until deadline: Deadline) async throws(MeterFailure) -> UInt32 {
    let answer: [UInt8]
    do throws(USBFailure) {
      answer = try await device.controlRead(
        MonsoonRequest.get(value), count: MonsoonRequest.answerSize,
        until: deadline.limited(toSeconds: Self.patience))
    } catch { throw MeterFailure(error, of: name) }
    guard let number = MonsoonRequest.number(answer) else {
      throw MeterFailure(
        .malfunction, "\(name): it answers to '\(value)' with \(answer.count) bytes instead of 4",
        evidence: Excerpt.hex(answer), hint: "is it a Monsoon?")
    }
    guard number != MonsoonRequest.error else {
      throw MeterFailure(
        .malfunction, "\(name): it answers to '\(value)' with its error",
        hint: "it does so while it samples; unplug it and plug it in again")
    }
    return value.part(number)
  }

  /// Sets a value; what comes of it is not told.
  func set(
    _ value: MonsoonValue, _ number: UInt32, until deadline: Deadline
  ) async throws(MeterFailure) {
    let (setup, bytes) = MonsoonRequest.set(value, number)
    try await send(setup, bytes, until: deadline)
  }

  /// Has it sample from now on.
  func start(until deadline: Deadline) async throws(MeterFailure) {
    let (setup, bytes) = MonsoonRequest.start(calibration: MonsoonModel.calibrationTime)
    try await send(setup, bytes, until: deadline)
  }

  /// Has it sample no more.
  func stop(until deadline: Deadline) async throws(MeterFailure) {
    try await send(MonsoonRequest.stop, [], until: deadline)
  }

  private func send(
    _ setup: USBControlSetup, _ bytes: [UInt8], until deadline: Deadline
  ) async throws(MeterFailure) {
    do throws(USBFailure) {
      try await device.controlWrite(
        setup, bytes, until: deadline.limited(toSeconds: Self.patience))
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Stops what a predecessor that was killed has left, and throws away what it had sent.
  ///
  /// - Throws: `malfunction` when it goes on sampling.
  func quiet(until deadline: Deadline) async throws(MeterFailure) {
    try await stop(until: deadline)
    try await interface.drain(
      Self.endpoint, count: 16 * MonsoonStream.packetSize, silence: Self.silence, of: name,
      what: "sampling", until: deadline)
  }

  /// Gives it back to the kernel.
  func close() {
    interface.release()
    device.close()
  }
}
