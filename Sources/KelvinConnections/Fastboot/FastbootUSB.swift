internal import Glibc
internal import KelvinDevices
internal import KelvinModel

/// Fastboot on USB: two bulk endpoints of an interface of class ff, subclass 42, protocol 03.
final class FastbootUSB: FastbootTransport {
  let name: String
  /// A multiple of every packet size, so that no packet in the middle is short.
  let chunk = 1 << 18
  private let interface: USBInterface
  private let input: USBDescriptors.Endpoint
  private let output: USBDescriptors.Endpoint

  /// Claims the interface of a device.
  ///
  /// - Throws: `notFound` when it has none, `permissionDenied`, `connectionLost`.
  init(_ info: USBDeviceInfo, until deadline: Deadline) throws(ConnectionFailure) {
    name = "usb \(info.name)" + (info.serialNumber.map { " (serial \($0))" } ?? "")
    guard let number = FastbootUSB.interface(of: info) else {
      throw ConnectionFailure(
        .notFound, "fastboot: \(info) is not in its boot loader",
        hint:
          "it has no fastboot interface now: 'adb reboot bootloader', or its keys, bring it there"
      )
    }
    do throws(USBFailure) {
      interface = try USBContext().open(info).claim(interface: number, until: deadline)
      input = try interface.endpoint(.bulk, isIn: true)
      output = try interface.endpoint(.bulk, isIn: false)
    } catch { throw ConnectionFailure(usb: error) }
  }

  /// The device that a match means, as it is plugged in now.
  static func find(_ match: DeviceMatch) throws(ConnectionFailure) -> USBDeviceInfo {
    do throws(DeviceFailure) {
      let device = try DeviceMatcher(match, role: .usbDevice).find(in: UDevContext())
      guard let info = USBDeviceInfo(syspath: device.syspath) else {
        throw DeviceFailure(.absent, "\(match): no longer plugged in")
      }
      return info
    } catch {
      throw ConnectionFailure(
        error.problem == .absent ? .notFound : .unsupported, "fastboot: \(error.message)",
        hint: error.hint)
    }
  }

  /// The number of its interface; nil when it is not in its boot loader.
  private static func interface(of info: USBDeviceInfo) -> UInt8? {
    let configurations = info.descriptors()?.configurations ?? []
    let value = info.activeConfiguration
    return configurations.first { value == nil || $0.value == value }?.interfaces.first {
      $0.interfaceClass == 0xff && $0.interfaceSubclass == 0x42 && $0.interfaceProtocol == 3
    }?.number
  }

  func close() { interface.release() }

  func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    do throws(USBFailure) {
      try await interface.write(output.address, Array(bytes), until: deadline)
    } catch { throw failure(error, "sending to it", deadline) }
  }

  func receiveReply(until deadline: Deadline) async throws(ConnectionFailure) -> [UInt8] {
    // A multiple of the packet size: what is longer than a reply is seen as such.
    let packet = input.maxPacketSize
    let room = (FastbootReply.limit + packet) / packet * packet
    while true {
      do throws(USBFailure) {
        let reply = try await interface.read(input.address, count: room, until: deadline)
        // An empty packet may end what came before.
        if !reply.isEmpty { return reply }
      } catch { throw failure(error, "waiting for its reply", deadline) }
    }
  }

  func receiveData(
    limit: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8] {
    let packet = input.maxPacketSize
    let room = min(limit, chunk)
    // Whole packets; the last one is cut off by the device itself.
    let count = (room + packet - 1) / packet * packet
    while true {
      do throws(USBFailure) {
        let bytes = try await interface.read(input.address, count: count, until: deadline)
        guard bytes.count <= limit else {
          throw USBFailure(.overflow, "\(interface.device.info): more data than it announced")
        }
        if !bytes.isEmpty { return bytes }
      } catch { throw failure(error, "receiving data", deadline) }
    }
  }

  private func failure(
    _ error: USBFailure, _ what: String, _ deadline: Deadline
  ) -> ConnectionFailure {
    if error.code == .timedOut || error.code == .cancelled {
      return .noAnswer(name, what, deadline)
    }
    return ConnectionFailure(usb: error)
  }
}

extension ConnectionFailure {
  /// What went wrong on the bus.
  init(usb failure: USBFailure) {
    let code: Code =
      switch failure.code {
      case .permission: .permissionDenied
      case .notFound: .notFound
      case .overflow: .badReply
      case .timedOut: .timedOut
      case .cancelled: .interrupted
      case .busy: .system(KelvinModel.Errno(EBUSY))
      case .unsupported: .unsupported
      case .disconnected, .transferError, .stall, .library: .connectionLost
      }
    self.init(code, "fastboot: \(failure.message)", hint: failure.hint)
  }
}
