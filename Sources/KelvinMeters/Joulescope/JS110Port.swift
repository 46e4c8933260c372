internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// A JS110 while it is open: settings by control requests, samples by an endpoint.
struct JS110Port: Sendable {
  let name: String
  let device: USBDevice
  let interface: USBInterface
  /// Of its samples (joulescope_driver, js110_usb.c: number 2, IN).
  static let endpoint: UInt8 = 0x82

  /// In seconds.
  private static let patience = 3.0
  private static let silence = 0.05
  /// From one look at whether settings hold to the next, and how long at most (js110_usb.c,
  /// wait_for_sensor_command).
  private static let pause = 0.005
  private static let longest = 3.0

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

  func read(
    _ setup: USBControlSetup, count: Int, until deadline: Deadline
  ) async throws(MeterFailure) -> [UInt8] {
    do throws(USBFailure) {
      return try await device.controlRead(
        setup, count: count, until: deadline.limited(toSeconds: Self.patience))
    } catch { throw MeterFailure(error, of: name) }
  }

  func write(
    _ setup: USBControlSetup, _ bytes: [UInt8], until deadline: Deadline
  ) async throws(MeterFailure) {
    do throws(USBFailure) {
      try await device.controlWrite(
        setup, bytes, until: deadline.limited(toSeconds: Self.patience))
    } catch { throw MeterFailure(error, of: name) }
  }

  func malformed(_ what: String, _ answer: [UInt8]) -> MeterFailure {
    MeterFailure(
      .malfunction, "\(name): its answer of \(answer.count) bytes is no \(what)",
      evidence: Excerpt.hex(answer), hint: "is it a Joulescope JS110?")
  }

  // MARK: what it is

  /// Its serial number, as hexadecimal digits.
  func serialNumber(until deadline: Deadline) async throws(MeterFailure) -> String {
    let bytes = try await read(
      JS110Request.readSerialNumber, count: JS110Request.serialNumberSize, until: deadline)
    guard bytes.count == JS110Request.serialNumberSize else {
      throw malformed("serial number", bytes)
    }
    return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// What it says of itself, JSON; nil where it says nothing: firmware before 0.3 (pyjoulescope, driver.py,
  /// info; before 1.1 with a header).
  func information(until deadline: Deadline) async throws(MeterFailure) -> Value? {
    var bytes: [UInt8]
    do throws(USBFailure) {
      bytes = try await device.controlRead(
        JS110Request.readInformation, count: 1024,
        until: deadline.limited(toSeconds: Self.patience))
    } catch {
      if error.code == .stall { return nil }
      throw MeterFailure(error, of: name)
    }
    if bytes.first != UInt8(ascii: "{") { bytes.removeFirst(min(bytes.count, 8)) }
    return Value(json: String(decoding: bytes, as: UTF8.self))
  }

  func calibration(
    isFactory: Bool, until deadline: Deadline
  ) async throws(MeterFailure) -> JS110Calibration {
    func part(_ offset: Int, _ count: Int) async throws(MeterFailure) -> [UInt8] {
      try await read(
        JS110Request.readCalibration(isFactory: isFactory, offset: UInt16(offset)), count: count,
        until: deadline)
    }
    var bytes = try await part(0, JS110Calibration.headerSize)
    do {
      let size = try JS110Calibration.size(header: bytes)
      bytes = []
      while bytes.count < size {
        let more = try await part(
          bytes.count, min(size - bytes.count, JS110Request.mostText))
        guard !more.isEmpty else { break }
        bytes += more
      }
      return try JS110Calibration(bytes)
    } catch let defect as JS110Calibration.Defect {
      throw MeterFailure(
        .malfunction, "\(name): its calibration cannot be used: \(defect.text)",
        evidence: Excerpt.hex(bytes),
        hint: isFactory
          ? "only Jetperch can calibrate it" : "'calibration: factory' uses the other one")
    } catch {
      throw error as? MeterFailure ?? MeterFailure(.malfunction, "\(name): \(error)")
    }
  }

  // MARK: how it measures

  func settings(until deadline: Deadline) async throws(MeterFailure) -> JS110Settings {
    let answer = try await read(
      JS110Request.readSettings, count: JS110Request.mostBytes, until: deadline)
    guard let settings = JS110Settings(answer) else { throw malformed("settings", answer) }
    return settings
  }

  func set(_ settings: JS110Settings, until deadline: Deadline) async throws(MeterFailure) {
    try await write(JS110Request.writeSettings, settings.packet, until: deadline)
    try await settle(until: deadline)
  }

  func inputs(until deadline: Deadline) async throws(MeterFailure) -> JS110Inputs {
    let answer = try await read(
      JS110Request.readInputs, count: JS110Request.mostBytes, until: deadline)
    guard let inputs = JS110Inputs(answer) else { throw malformed("state of inputs", answer) }
    return inputs
  }

  func set(_ inputs: JS110Inputs, until deadline: Deadline) async throws(MeterFailure) {
    try await write(JS110Request.writeInputs, inputs.packet, until: deadline)
    try await settle(until: deadline)
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> JS110Status {
    let answer = try await read(
      JS110Request.readStatus, count: JS110Request.mostBytes, until: deadline)
    guard let status = JS110Status(answer) else { throw malformed("status", answer) }
    return status
  }

  /// Waits until what was set holds.
  private func settle(until deadline: Deadline) async throws(MeterFailure) {
    let limit = deadline.limited(toSeconds: Self.longest)
    while true {
      let status = try await status(until: deadline)
      if status.result == 0 { return }
      guard status.isBusy else {
        throw MeterFailure(
          .malfunction, "\(name): it did not take its settings: error \(status.result)")
      }
      guard limit.limited(toSeconds: Self.pause).wait() != .interrupted else {
        throw MeterFailure(.interrupted, "\(name): stopped")
      }
      guard !limit.hasPassed else {
        throw MeterFailure(
          .timedOut, "\(name): it goes on setting itself for more than \(Self.longest) s",
          hint: "unplug it and plug it in again")
      }
    }
  }

  /// Throws away what a predecessor that was killed had it send.
  ///
  /// - Throws: `malfunction` when it goes on.
  func drain(until deadline: Deadline) async throws(MeterFailure) {
    try await interface.drain(
      Self.endpoint, count: 64 * JS110Stream.packetSize, silence: Self.silence, of: name,
      what: "streaming", until: deadline)
  }

  func close() {
    interface.release()
    device.close()
  }
}
