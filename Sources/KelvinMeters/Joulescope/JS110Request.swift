internal import KelvinDevices

/// Requests to a JS110: control transfers of the vendor's type to the device, with a packet of its host API as
/// data, whose numbers have the lowest byte first.
///
/// Source: jetperch/joulescope_driver, src/devices/js110/js110_api.h.
enum JS110Request {
  static let version: UInt8 = 1
  static let headerSize = 8
  /// That are asked for where a packet's length is not known.
  static let mostBytes = 128

  /// What the third byte of a packet says.
  enum Kind: UInt8 {
    case settings = 1
    case status = 2
    case inputs = 3
  }

  static let readSettings = USBControlSetup(0xc0, 3)
  static let writeSettings = USBControlSetup(0x40, 3)
  static let readStatus = USBControlSetup(0xc0, 4)
  static let readSerialNumber = USBControlSetup(0xc0, 7)
  static let readInputs = USBControlSetup(0xc0, 9)
  static let writeInputs = USBControlSetup(0x40, 9)
  static let readInformation = USBControlSetup(0xc0, 10)

  /// - Parameters:
  ///   - isFactory: the calibration that it left the factory with, instead of the one in use.
  ///   - offset: of the first byte.
  static func readCalibration(isFactory: Bool, offset: UInt16) -> USBControlSetup {
    USBControlSetup(0xc0, 8, value: isFactory ? 0 : 1, index: offset)
  }

  /// Of its serial number.
  static let serialNumberSize = 16
  /// Of its information, and of a part of its calibration.
  static let mostText = 4096

  static func packet(_ kind: Kind, _ payload: [UInt8]) -> [UInt8] {
    [version, UInt8(headerSize + payload.count), kind.rawValue, 0, 0, 0, 0, 0] + payload
  }

  /// What a packet of a kind holds; nil when it is another, shorter than it says, or of another version.
  ///
  /// - Parameter least: that it has to hold.
  static func payload(_ bytes: [UInt8], _ kind: Kind, least: Int) -> ArraySlice<UInt8>? {
    guard bytes.count >= headerSize, bytes[0] == version, bytes[2] == kind.rawValue else {
      return nil
    }
    let length = Int(bytes[1])
    guard length >= headerSize + least, length <= bytes.count else { return nil }
    return bytes[headerSize..<length]
  }
}

/// How a JS110 measures.
struct JS110Settings: Sendable, Hashable {
  var isPowered = true
  /// ``JS110Ranging/select``.
  var select: UInt8
  /// What it takes for samples; 0: nothing.
  var source = Self.raw
  /// Bit 1: the voltage's range of 5 V; bit 0: flags of overflow take the place of the lowest bits.
  var options: UInt8
  var isStreaming = false

  /// Of the converters (js110_host_source_e).
  static let raw: UInt8 = 0xc0
  /// Over USB, and from the converters (js110_host_streaming_e).
  private static let streaming: UInt8 = 0x03

  init(_ current: JS110Ranging, _ voltage: JS110VoltageRange, isStreaming: Bool) {
    select = current.select
    options = UInt8(voltage.rawValue) << 1
    self.isStreaming = isStreaming
  }

  /// Reads an answer; nil when it is none.
  init?(_ answer: [UInt8]) {
    guard let payload = JS110Request.payload(answer, .settings, least: 5) else { return nil }
    let start = payload.startIndex
    isPowered = payload[start] != 0
    select = payload[start + 1]
    source = payload[start + 2]
    options = payload[start + 3]
    isStreaming = payload[start + 4] & Self.streaming != 0
  }

  var voltage: JS110VoltageRange { options & 2 == 0 ? .fifteenVolts : .fiveVolts }

  var packet: [UInt8] {
    JS110Request.packet(
      .settings,
      [isPowered ? 1 : 0, select, source, options, isStreaming ? Self.streaming : 0, 0, 0, 0])
  }
}

/// What a JS110's digital side is set to.
struct JS110Inputs: Sendable, Hashable {
  /// As they came, so that what is not meant here is written back as it was: flags, the trigger's source, what
  /// the lowest bits of current and voltage are, two outputs, one reserved, the inputs, four reserved, and
  /// the level in millivolts, four bytes.
  private(set) var bytes: [UInt8]

  private static let size = 16

  /// Reads an answer; nil when it is none.
  init?(_ answer: [UInt8]) {
    guard let payload = JS110Request.payload(answer, .inputs, least: Self.size) else { return nil }
    bytes = Array(payload.prefix(Self.size))
  }

  /// Whether the lowest bit of a current is input 0, and that of a voltage input 1 (js110_host_extio_gpi_e).
  var areRecorded: Bool {
    get { bytes[2] == 2 && bytes[3] == 3 }
    set { (bytes[2], bytes[3]) = newValue ? (2, 3) : (0, 0) }
  }

  /// The level of inputs and outputs, in millivolts.
  var millivolts: UInt32 {
    get { bytes[12..<16].reversed().reduce(0) { $0 << 8 | UInt32($1) } }
    set {
      for place in 0..<4 {
        bytes[12 + place] = UInt8(truncatingIfNeeded: newValue >> UInt32(8 * place))
      }
    }
  }

  /// That it takes (joulescope_driver, s/extio/voltage).
  static let levels: [UInt32] = [1800, 2100, 2500, 2700, 3000, 3300, 3600, 5000]

  var packet: [UInt8] { JS110Request.packet(.inputs, bytes) }
}
