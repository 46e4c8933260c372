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
    interface = try AndroidInterface.fastboot.claim(info, until: deadline)
    do throws(USBFailure) {
      input = try interface.endpoint(.bulk, isIn: true)
      output = try interface.endpoint(.bulk, isIn: false)
    } catch { throw ConnectionFailure(usb: error, of: "fastboot") }
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
    return ConnectionFailure(usb: error, of: "fastboot")
  }
}
