internal import KelvinModel

/// How one kind of USB tester speaks on a serial line: in frames of one size, each of which is a whole reading.
///
/// Pure: bytes in, values out.
protocol TesterLanguage: Sendable {
  /// What kind of meter it is: 'a TC66C'.
  var title: String { get }
  /// What it is asked with for a frame; nil: it sends frames by itself.
  var question: [UInt8]? { get }
  /// Of a frame, in bytes.
  var size: Int { get }
  /// What shows that a frame is as it was sent: 'three checksums of 16 bits'.
  var witness: String { get }
  /// What a reading has, in its order; without anybody's statement of accuracy.
  var channels: [Channel] { get }
  /// Whether a frame may begin like this; any number of bytes.
  func mayBegin(_ bytes: ArraySlice<UInt8>) -> Bool
  /// Reads a frame.
  ///
  /// - Throws: what is wrong with it, also when it is no frame's size.
  func read(_ frame: ArraySlice<UInt8>) throws(TesterFault) -> TesterReading
}

extension TesterLanguage {
  /// Unknown, of one that is asked: its frames begin where its answers do.
  func mayBegin(_ bytes: ArraySlice<UInt8>) -> Bool { true }
}

/// What one frame says.
struct TesterReading: Sendable, Hashable {
  /// Of the tester's channels.
  var codes: [Int64]
  /// What it calls itself; empty where it does not say.
  var model = ""
  var serial = ""
  var firmware = ""
}

/// Why some bytes are no reading.
struct TesterFault: Error, Hashable {
  /// For people: 'its checksum is wrong'.
  var text: String

  init(_ text: String) { self.text = text }
}

/// Numbers in a frame whose size was checked.
struct TesterBytes {
  private let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  subscript(place: Int) -> UInt8 { bytes[bytes.startIndex + place] }

  /// The lowest byte first.
  func little16(_ place: Int) -> UInt16 { UInt16(self[place]) | UInt16(self[place + 1]) << 8 }
  func little32(_ place: Int) -> UInt32 {
    UInt32(little16(place)) | UInt32(little16(place + 2)) << 16
  }
  /// The highest byte first.
  func big16(_ place: Int) -> UInt16 { little16(place).byteSwapped }

  /// Letters and digits up to the first other byte.
  func text(_ range: Range<Int>) -> String {
    let letters = range.map { self[$0] }.prefix { (0x21...0x7e).contains($0) }
    return String(decoding: letters, as: UTF8.self)
  }
}

extension Channel {
  /// Voltage and current of what passes through a tester are of one site, so that power comes of them; its data
  /// lines are others.
  static func tester(
    _ name: String, _ kind: MeterChannel.Kind, _ unit: String, _ scale: Double
  ) -> Channel {
    let site = kind == .current || name == "voltage" ? "usb" : name
    return Channel(name: name, unit: unit, scale: scale, site: site, kind: kind)
  }
}
