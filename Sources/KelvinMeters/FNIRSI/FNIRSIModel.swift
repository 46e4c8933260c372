/// FNIRSI's USB testers: what differs between them.
///
/// Source: baryluk/fnirsi-usb-power-data-logger, fnirsi_logger.py, and PyPI's usb-multimeter 3.0.0, device.py and
/// usb_meter.py, which it became.
enum FNIRSIModel: String, Sendable, CaseIterable {
  case fnb48 = "FNB48"
  case c1 = "C1"
  case fnb58 = "FNB58"
  case fnb48s = "FNB48S"

  init?(vendor: UInt16, product: UInt16) {
    switch (vendor, product) {
    case (0x0483, 0x003a): self = .fnb48
    case (0x0483, 0x003b): self = .c1
    case (0x2e3c, 0x5558): self = .fnb58
    case (0x2e3c, 0x0049): self = .fnb48s
    default: return nil
    }
  }

  /// What makes it send, in this order.
  var start: [FNIRSICommand] {
    switch self {
    case .fnb48, .c1: [.begin, .sample, .goOn]
    case .fnb58, .fnb48s: [.begin, .sample, .sample]
    }
  }

  /// How often it is told to go on, in seconds.
  ///
  /// The newer ones stop a second or so after they were told last, and are told twice as often; the older ones are told
  /// with each report, as those who read them do.
  var refresh: Double {
    switch self {
    case .fnb48, .c1: 0.04
    case .fnb58, .fnb48s: 0.5
    }
  }
}

/// What such a tester is told.
///
/// Source: baryluk/fnirsi-usb-power-data-logger, fnirsi_logger.py; what they mean: fqueze/usb-power-profiling,
/// usb-power-profiling.js (FnirsiDevice).
enum FNIRSICommand: UInt8, Sendable {
  /// What it does, nobody knows; it works without it, too.
  case begin = 0x81
  /// Send for a second or so.
  case sample = 0x82
  /// Send for another second.
  case goOn = 0x83

  /// As it is sent.
  var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FNIRSIReport.size)
    (bytes[0], bytes[1]) = (FNIRSIReport.mark, rawValue)
    bytes[FNIRSIReport.size - 1] = FNIRSIReport.checksum(bytes[1..<(FNIRSIReport.size - 1)])
    return bytes
  }
}
