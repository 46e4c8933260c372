/// What a JS110 says of itself when it is asked, with what it computed of its samples over the last half
/// second.
///
/// Source: jetperch/joulescope_driver, src/devices/js110/js110_api.h (js110_host_status_s). Firmware that
/// computes nothing sends the first 16 bytes of it (pyjoulescope, driver.py, _status).
struct JS110Status: Sendable, Hashable {
  /// Of the last settings: 0, they hold; otherwise its error's number.
  var result: Int32
  /// Frames that its own parts could not take from each other.
  var discarded: UInt32
  /// Nil when it computes nothing.
  var statistics: Statistics?

  struct Statistics: Sendable, Hashable {
    /// Samples since it was switched on, with those of this window: that it counts them is what the header says, and
    /// what pyjoulescope makes of it; joulescope_driver takes it for the window's beginning.
    var total: Int64
    /// Samples of this window; 0: there is none yet.
    var window: Int64
    /// Samples a second.
    var rate: Int64
    /// Means of the window, in ``current``, ``voltage`` and ``power``.
    var currentMean: Int64
    var voltageMean: Int64
    var powerMean: Int64
    /// Sums since it was switched on, in ``charge`` and ``energy``.
    var chargeSum: Int64
    var energySum: Int64

    /// In amperes, volts, watts, coulombs and joules.
    static let current = 0x1p-27
    static let voltage = 0x1p-17
    static let power = 0x1p-34
    static let charge = 0x1p-27
    static let energy = 0x1p-27
  }

  private static let shortSize = 16
  private static let size = 96

  /// Whether settings are on their way: not issued yet, or its error for "busy" (js110_usb.c,
  /// wait_for_sensor_command).
  var isBusy: Bool { result == -1 || result == 19 }

  /// Reads an answer; nil when it is none.
  init?(_ answer: [UInt8]) {
    guard let payload = JS110Request.payload(answer, .status, least: Self.shortSize) else {
      return nil
    }
    let start = payload.startIndex
    func word(_ place: Int) -> UInt32 {
      payload[start + place..<start + place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    func long(_ place: Int) -> Int64 {
      Int64(bitPattern: UInt64(word(place + 4)) << 32 | UInt64(word(place)))
    }
    func small(_ place: Int) -> Int64 { Int64(Int32(bitPattern: word(place))) }
    result = Int32(bitPattern: word(0))
    discarded = word(8)
    guard payload.count >= Self.size else { return }
    statistics = Statistics(
      total: long(16), window: small(48), rate: small(56), currentMean: small(60),
      voltageMean: small(72), powerMean: long(24), chargeSum: long(32), energySum: long(40))
  }
}
