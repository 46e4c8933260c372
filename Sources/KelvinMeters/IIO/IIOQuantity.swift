internal import KelvinModel

/// What a kind of IIO channel measures, by the first word of its name, and the factor from the kernel's
/// unit to the base unit (Linux, Documentation/ABI/testing/sysfs-bus-iio).
struct IIOQuantity: Sendable, Hashable {
  var kind: MeterChannel.Kind?
  var unit: String
  var factor: Double

  /// - Parameter channel: `voltage0`, `temp_ambient`, `voltage0-voltage1`.
  init(channel: String) {
    let type = channel.prefix { $0.isLetter }
    switch type {
    case "voltage", "altvoltage": self.init(.voltage, "V", 1e-3)
    case "current", "altcurrent": self.init(.current, "A", 1e-3)
    case "power": self.init(.power, "W", 1e-3)
    case "energy": self.init(.energy, "J", 1)
    case "temp": self.init(.temperature, "degC", 1e-3)
    case "resistance": self.init(nil, "ohm", 1)
    case "capacitance": self.init(nil, "F", 1e-9)
    case "humidityrelative": self.init(nil, "%", 1e-3)
    case "pressure": self.init(nil, "Pa", 1e3)
    case "accel": self.init(nil, "m/s2", 1)
    case "anglvel": self.init(nil, "rad/s", 1)
    case "magn": self.init(nil, "T", 1e-4)
    case "illuminance": self.init(nil, "lx", 1)
    default: self.init(nil, "", 1)
    }
  }

  private init(_ kind: MeterChannel.Kind?, _ unit: String, _ factor: Double) {
    self.kind = kind
    self.unit = unit
    self.factor = factor
  }
}
