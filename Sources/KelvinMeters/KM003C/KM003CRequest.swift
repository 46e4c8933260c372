/// What a POWER-Z is asked: four bytes, and for some 32 more.
///
/// A header is a little-endian word: type (7 bits), a reserved bit, number of the request (8 bits), an unused
/// bit, attribute (15 bits). Source: okhsunrog/km003c-protocol-research, docs/protocol_reference.md.
package struct KM003CRequest: Sendable, Hashable {
  /// Of requests and replies.
  package enum Kind: UInt8, Sendable {
    case connect = 0x02
    case disconnect = 0x03
    case accept = 0x05
    case reject = 0x06
    case getData = 0x0c
    case startGraph = 0x0e
    case stopGraph = 0x0f
    case putData = 0x41
    case readMemory = 0x44
    case authenticate = 0x4c
  }

  package var kind: Kind
  /// The upper half of the header as it is on the wire.
  package var word: UInt16
  package var payload: [UInt8] = []

  /// - Parameter attribute: of 15 bits, which begin at the second bit of the word.
  init(_ kind: Kind, attribute: UInt16 = 0) {
    self.kind = kind
    word = attribute << 1
  }

  private init(_ kind: Kind, word: UInt16, payload: [UInt8]) {
    self.kind = kind
    self.word = word
    self.payload = payload
  }

  package static let connect = KM003CRequest(.connect)
  package static let disconnect = KM003CRequest(.disconnect)
  package static let stopGraph = KM003CRequest(.stopGraph)

  /// The values that it has now, the queued samples, or both: the reply chains them.
  package static func data(_ parts: KM003CParts) -> KM003CRequest {
    KM003CRequest(.getData, attribute: parts.rawValue)
  }

  /// Has it queue samples, at one of its four rates.
  package static func startGraph(_ rate: KM003CRate) -> KM003CRequest {
    KM003CRequest(.startGraph, attribute: rate.rawValue)
  }

  /// A piece of its memory. The header's upper half is 01 01, and no attribute.
  package static func memory(_ place: KM003CMemory) -> KM003CRequest? {
    KM003CCipher.memoryRequest(address: place.address, size: place.size).map {
      KM003CRequest(.readMemory, word: 0x0101, payload: $0)
    }
  }

  /// Asks to be let at the queue. The header's upper half is 00 02, and no attribute.
  package static func authenticate(
    hardware: [UInt8], milliseconds: UInt64, filling: [UInt8]
  ) -> KM003CRequest? {
    KM003CCipher.authentication(hardware, milliseconds: milliseconds, filling: filling).map {
      KM003CRequest(.authenticate, word: 0x0200, payload: $0)
    }
  }

  /// As it is sent.
  ///
  /// - Parameter number: that its reply repeats.
  package func bytes(number: UInt8) -> [UInt8] {
    [kind.rawValue, number, UInt8(word & 0xff), UInt8(word >> 8)] + payload
  }
}

/// What a reply to ``KM003CRequest/data(_:)`` can hold, by its attributes.
package struct KM003CParts: OptionSet, Sendable, Hashable {
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The values of this moment, temperature among them.
  package static let values = KM003CParts(rawValue: 1)
  /// Samples since the last time.
  package static let queue = KM003CParts(rawValue: 2)
}

/// At which it queues samples; raw values are the indexes of StartGraph.
package enum KM003CRate: UInt16, Sendable, CaseIterable {
  case two, ten, fifty, thousand

  /// In hertz.
  package var hertz: Int {
    switch self {
    case .two: 2
    case .ten: 10
    case .fifty: 50
    case .thousand: 1000
    }
  }

  /// Of its millisecond counter, from one sample to the next.
  package var step: Int64 { Int64(1000 / hertz) }

  /// Of the lines' voltages in the queue: a tenth of a millivolt at 2 Hz, a millivolt else (as compared with
  /// the values of the moment by the author of km003c-rs, on firmware 1.9.9).
  package var lineScale: Double { self == .two ? 1e-4 : 1e-3 }
}

/// Where its memory says who it is (docs/features/authentication.md, "Known Memory Addresses").
package enum KM003CMemory: Sendable, CaseIterable {
  case device, firmware, calibration, hardware

  package var address: UInt32 {
    switch self {
    case .device: 0x420
    case .firmware: 0x4420
    case .calibration: 0x300_0c00
    case .hardware: 0x4001_0450
    }
  }

  /// In bytes; what comes is filled up to a multiple of 16.
  package var size: UInt32 { self == .hardware ? 12 : 64 }
}
