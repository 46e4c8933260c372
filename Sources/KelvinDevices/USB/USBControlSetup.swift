/// A control request (USB 2.0, 9.3), without its length.
public struct USBControlSetup: Sendable, Hashable {
  /// Direction in bit 7 (1 towards the host), type in bits 5 and 6, recipient in bits 0 to 4.
  public var requestType: UInt8
  public var request: UInt8
  public var value: UInt16
  public var index: UInt16

  /// Creates a request: `USBControlSetup(0xC0, 0x01, value: 0, index: 3)`.
  public init(_ requestType: UInt8, _ request: UInt8, value: UInt16 = 0, index: UInt16 = 0) {
    self.requestType = requestType
    self.request = request
    self.value = value
    self.index = index
  }

  /// Whether data come from the device.
  public var isIn: Bool { requestType & 0x80 != 0 }

  /// The eight bytes of the wire, little-endian.
  func write(to memory: UnsafeMutablePointer<UInt8>, count: Int) {
    let length = UInt16(truncatingIfNeeded: count)
    memory[0] = requestType
    memory[1] = request
    for (position, word) in [value, index, length].enumerated() {
      memory[2 + 2 * position] = UInt8(truncatingIfNeeded: word)
      memory[3 + 2 * position] = UInt8(truncatingIfNeeded: word >> 8)
    }
  }
}

extension USBControlSetup: CustomStringConvertible {
  /// `control request c0/01 value 0x0000 index 0x0003`
  public var description: String {
    let byte = { (value: UInt8) in (value < 16 ? "0" : "") + String(value, radix: 16) }
    return
      "control request \(byte(requestType))/\(byte(request)) value 0x\(USBDeviceInfo.hex(value))"
      + " index 0x\(USBDeviceInfo.hex(index))"
  }
}
