internal import KelvinModel
internal import KelvinSystem

/// A boot loader on USB: interface ff/42/03.
final class BootloaderGadget: BootloaderSeat {
  let port: UInt16 = 0
  private let gadget: FunctionGadget

  init(_ place: GadgetPlace) throws(PlainFailure) {
    gadget = try FunctionGadget(place, protocolNumber: 3)
  }

  func plug() throws(PlainFailure) { try gadget.plug() }
  func close() { gadget.unplug() }
  func end() { gadget.end() }

  func serve(
    _ bootloader: SimulatedBootloader, _ faults: BootloaderFaults, _ until: Deadline
  ) throws(WireEnd) {
    let wire = BootloaderUSB(gadget, until: until)
    while true {
      do throws(WireEnd) {
        return try bootloader.serve(wire)
      } catch {
        if case .stopped = error { throw error }
        // The host has reset it, or let go of it: the next read waits for one.
        guard !until.isInterrupted else { throw .stopped }
      }
    }
  }
}

/// A host on USB. Its transfers end with a packet that is not full.
final class BootloaderUSB: BootloaderWire {
  private let gadget: FunctionGadget
  private let until: Deadline

  init(_ gadget: FunctionGadget, until: Deadline) {
    self.gadget = gadget
    self.until = until
  }

  func readCommand() throws(WireEnd) -> [UInt8] {
    while true {
      let bytes = try gadget.read(FunctionGadget.packet, until: until)
      if !bytes.isEmpty { return bytes }
    }
  }

  func readData(limit: Int) throws(WireEnd) -> [UInt8] {
    let size = FunctionGadget.packet
    let count = (min(limit, FunctionGadget.chunk) + size - 1) / size * size
    let bytes = try gadget.read(count, until: until)
    guard bytes.count <= limit else { throw .gone }
    return bytes
  }

  func write(_ bytes: [UInt8]) throws(WireEnd) { try gadget.write(bytes, until: until) }

  func ignore() throws(WireEnd) {
    _ = until.wait()
    throw .stopped
  }
}
