/// The vendor and product numbers by which a USB device says what it is: `1915:c00a`.
public struct USBDeviceID: Sendable, Hashable {
  public var vendor: UInt16
  public var product: UInt16

  /// Creates an identity.
  public init(vendor: UInt16, product: UInt16) {
    self.vendor = vendor
    self.product = product
  }

  /// Reads four hexadecimal digits, a colon and four more, as `lsusb` prints them; nil for anything
  /// else.
  public init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, let vendor = USBDeviceID.number(parts[0]),
      let product = USBDeviceID.number(parts[1])
    else { return nil }
    self.init(vendor: vendor, product: product)
  }

  private static func number(_ digits: Substring.UTF8View) -> UInt16? {
    // UInt16 alone would take a sign.
    guard digits.count == 4, digits.first != UInt8(ascii: "+") else { return nil }
    return UInt16(Substring(digits), radix: 16)
  }
}

extension USBDeviceID: CustomStringConvertible, Comparable {
  /// In lower case, as udev's `idVendor` and `idProduct` have it.
  public var description: String { "\(USBDeviceID.hex(vendor)):\(USBDeviceID.hex(product))" }

  public static func < (left: USBDeviceID, right: USBDeviceID) -> Bool {
    (left.vendor, left.product) < (right.vendor, right.product)
  }

  /// Four digits in lower case.
  public static func hex(_ number: UInt16) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}
