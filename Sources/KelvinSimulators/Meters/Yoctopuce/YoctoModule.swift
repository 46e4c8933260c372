internal import KelvinModel

/// A simulated Yocto-Watt behind a hub: its power is a triangle with a period of a second, 5 W ± 2 W, of which it
/// makes a new value each tenth of a second.
package struct YoctoModule: Sendable {
  package static let serial = "YWATTMK1-12345"
  static let hub = "VIRTHUB0-0123456789"
  /// From one conversion to the next, in seconds.
  package static let update = 0.1
  private let begin = MonotonicTime.now.nanoseconds

  private let isFrozen: Bool

  /// - Parameter isFrozen: it tells its eighth conversion for ever.
  package init(isFrozen: Bool = false) { self.isFrozen = isFrozen }

  /// In watts.
  package static func power(_ conversion: Int64) -> Double {
    let phase = Double(conversion % 10) / 10
    return 5 + 2 * (phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase)
  }

  /// How many conversions there have been.
  package var count: Int64 {
    isFrozen ? 8 : Int64(Double(MonotonicTime.now.nanoseconds &- begin) / 1e9 / Self.update)
  }

  /// A number as the REST interface tells it: in 1/65,536.
  private static func fixed(_ value: Double) -> String { "\(Int64((value * 65_536).rounded()))" }

  private static func sensor(_ value: Double, _ unit: String, _ more: String = "") -> String {
    "{\"logicalName\":\"\",\"advertisedValue\":\"\(value)\",\"unit\":\"\(unit)\",\"currentValue\":\(fixed(value)),"
      + "\"lowestValue\":0,\"highestValue\":0,\"currentRawValue\":\(fixed(value)),\"logFrequency\":\"OFF\","
      + "\"reportFrequency\":\"OFF\",\"advMode\":0,\"calibrationParam\":\"0,\",\"resolution\":\(fixed(0.002)),"
      + "\"sensorState\":0\(more)}"
  }

  private static func module(_ serial: String, _ product: String) -> String {
    "{\"productName\":\"\(product)\",\"serialNumber\":\"\(serial)\",\"logicalName\":\"\",\"productId\":50,"
      + "\"productRelease\":1,\"firmwareRelease\":\"45000\",\"persistentSettings\":0,\"luminosity\":50,\"beacon\":0,"
      + "\"upTime\":1000,\"usbCurrent\":20,\"rebootCountdown\":0,\"userVar\":0}"
  }

  /// What the module answers.
  ///
  /// - Parameter serial: that it says it has.
  func answer(as serial: String) -> String {
    let count = count
    let watts = Self.power(max(0, count - 1))
    // 5 W on average; a tenth of a watt-hour at its begin.
    let energy = 0.1 + 5 * Double(count) * Self.update / 3600
    return "{\"module\":\(Self.module(serial, "Yocto-Watt")),\"power\":"
      + Self.sensor(
        watts, "W", ",\"cosPhi\":65536,\"meter\":\(Self.fixed(energy)),\"meterTimer\":\(count / 10)"
      )
      + ",\"voltage1\":\(Self.sensor(230, "V"))"
      + ",\"current1\":\(Self.sensor((watts / 230 * 1e6).rounded() / 1000, "mA"))"
      + ",\"dataLogger\":{\"logicalName\":\"\",\"advertisedValue\":\"OFF\",\"recording\":0}}"
  }

  /// What the hub answers of itself and of what is behind it.
  static var hubAnswer: String {
    func page(_ serial: String, _ product: String, _ url: String, _ index: Int) -> String {
      "{\"serialNumber\":\"\(serial)\",\"logicalName\":\"\",\"productName\":\"\(product)\",\"productId\":50,"
        + "\"networkUrl\":\"\(url)\",\"beacon\":0,\"index\":\(index)}"
    }
    func function(_ base: Int, _ id: String, _ index: Int) -> String {
      "{\"baseType\":\(base),\"hardwareId\":\"\(id)\",\"logicalName\":\"\",\"advertisedValue\":\"\",\"index\":\(index)}"
    }
    return "{\"module\":\(module(hub, "VirtualHub")),\"services\":{\"whitePages\":["
      + page(hub, "VirtualHub", "/api", 0) + ","
      + page(serial, "Yocto-Watt", "/bySerial/\(serial)/api", 1) + "],\"yellowPages\":{\"Module\":["
      + function(0, "\(hub).module", 0) + "," + function(0, "\(serial).module", 1) + "],\"Power\":["
      + function(1, "\(serial).power", 2) + "],\"Voltage\":[" + function(1, "\(serial).voltage1", 3)
      + "],\"Current\":[" + function(1, "\(serial).current1", 4) + "]}}}"
  }
}
