internal import Foundation

/// The function that a test chose: from what a guest does to the power it draws.
///
///     power = (base + Σ CPUs (idle + (full(f) − idle) · load)) · (1 + leakage · (T − ambient)) + wave(t)
///     dT/dt = (ambient + resistance · power − T) / time constant
///
/// Pure: the same inputs give the same outputs, so that its log can be computed again.
public struct PlantModel: Sendable, Hashable, Codable {
  /// A CPU's share.
  public struct CPU: Sendable, Hashable, Codable {
    /// Watts with no load, at any frequency.
    public var idle: Double
    /// Watts at full load for each frequency in MHz; in between it is interpolated.
    public var points: [Point]

    /// Creates a CPU.
    public init(idle: Double, points: [Point]) {
      self.idle = idle
      self.points = points
    }
  }

  public struct Point: Sendable, Hashable, Codable {
    public var megahertz: Double
    public var watts: Double

    /// Creates a point.
    public init(_ megahertz: Double, _ watts: Double) {
      self.megahertz = megahertz
      self.watts = watts
    }
  }

  /// The first-order thermal model of the whole board.
  public struct Thermal: Sendable, Hashable, Codable {
    /// Degrees Celsius.
    public var ambient: Double
    /// Kelvin per watt.
    public var resistance: Double
    /// Seconds.
    public var timeConstant: Double

    /// Creates a thermal model.
    public init(ambient: Double = 25, resistance: Double = 5, timeConstant: Double = 20) {
      self.ambient = ambient
      self.resistance = resistance
      self.timeConstant = timeConstant
    }
  }

  /// Power that does not depend on the guest.
  public struct Wave: Sendable, Hashable, Codable {
    public enum Shape: String, Sendable, Hashable, Codable { case square, sine, ramp }
    public var shape: Shape
    /// Watts from the lowest to the highest value; the wave is never negative.
    public var amplitude: Double
    /// Seconds.
    public var period: Double
    /// Share of the period at the high level of a square wave, 0...1.
    public var duty: Double

    /// Creates a wave.
    public init(_ shape: Shape, amplitude: Double, period: Double, duty: Double = 0.5) {
      self.shape = shape
      self.amplitude = amplitude
      self.period = period
      self.duty = duty
    }

    /// Watts at a time in seconds since the plant began.
    public func watts(at seconds: Double) -> Double {
      let phase = (seconds / period).truncatingRemainder(dividingBy: 1)
      return switch shape {
      case .square: phase < duty ? amplitude : 0
      case .sine: amplitude * (1 - cos(2 * .pi * phase)) / 2
      case .ramp: amplitude * phase
      }
    }
  }

  /// Watts of everything but the CPUs.
  public var base: Double
  public var cpus: [CPU]
  public var thermal: Thermal
  /// More power for each kelvin above ambient, as a share of it.
  public var leakagePerKelvin: Double
  public var wave: Wave?
  /// Watt hours of a full battery.
  public var batteryWattHours: Double

  /// Creates a model; the default is the virtual x86 boards', whose P-states carry the same powers.
  public init(
    base: Double = 0.8, cpus: [CPU] = PlantModel.x86CPUs, thermal: Thermal = Thermal(),
    leakagePerKelvin: Double = 0.002, wave: Wave? = nil, batteryWattHours: Double = 48
  ) {
    self.base = base
    self.cpus = cpus
    self.thermal = thermal
    self.leakagePerKelvin = leakagePerKelvin
    self.wave = wave
    self.batteryWattHours = batteryWattHours
  }

  /// The two CPUs of the virtual x86 boards (hardware/virtual-bench/acpi/bench.dsl, _PSS).
  public static let x86CPUs = [
    CPU(idle: 0.05, points: [Point(600, 0.4), Point(1000, 0.9), Point(1400, 1.5)]),
    CPU(idle: 0.10, points: [Point(800, 1.0), Point(1500, 2.6), Point(2000, 4.2), Point(2400, 6.0)])
  ]

  /// The four CPUs of the virtual aarch64 board: two LITTLE, two big.
  public static let armCPUs = [
    CPU(idle: 0.03, points: [Point(600, 0.15), Point(1000, 0.35), Point(1400, 0.7)]),
    CPU(idle: 0.03, points: [Point(600, 0.15), Point(1000, 0.35), Point(1400, 0.7)]),
    CPU(idle: 0.06, points: [Point(800, 0.6), Point(1500, 1.4), Point(2400, 3.2)]),
    CPU(idle: 0.06, points: [Point(800, 0.6), Point(1500, 1.4), Point(2400, 3.2)])
  ]

  /// What is wrong with the model; nil when nothing is.
  public var mistake: String? {
    let numbers =
      [base, leakagePerKelvin, batteryWattHours, thermal.ambient, thermal.resistance]
      + cpus.flatMap { [$0.idle] + $0.points.flatMap { [$0.megahertz, $0.watts] } }
    if !numbers.allSatisfy({ $0.isFinite && $0 >= 0 }) { return "a number is negative" }
    if cpus.contains(where: { $0.points.isEmpty }) { return "a CPU has no points" }
    if !(thermal.timeConstant > 0) { return "the thermal time constant is not above 0" }
    if let wave, !(wave.period > 0) || !(0...1).contains(wave.duty) || !(wave.amplitude >= 0) {
      return "the wave needs a period above 0, a duty of 0 to 1 and an amplitude of at least 0"
    }
    return nil
  }

  /// Watts.
  ///
  /// - Parameters:
  ///   - cpus: frequency in MHz and load (0...1) of each CPU; those beyond the model's count as
  ///     nothing, missing ones as idle.
  ///   - temperature: degrees Celsius.
  ///   - seconds: since the plant began.
  public func power(
    cpus activity: [CPUActivity], temperature: Double, at seconds: Double
  ) -> Double {
    var sum = base
    for (index, cpu) in cpus.enumerated() {
      let now = activity.indices.contains(index) ? activity[index] : CPUActivity(0, load: 0)
      sum += cpu.idle + max(0, cpu.full(at: now.megahertz) - cpu.idle) * now.load
    }
    let leakage = 1 + leakagePerKelvin * (temperature - thermal.ambient)
    return sum * leakage + (wave?.watts(at: seconds) ?? 0)
  }

  /// The temperature after a step of constant power, in degrees Celsius.
  public func temperature(from temperature: Double, power: Double, after seconds: Double) -> Double
  {
    let end = thermal.ambient + thermal.resistance * power
    return end + (temperature - end) * exp(-seconds / thermal.timeConstant)
  }
}

extension PlantModel.CPU {
  /// Watts at full load, interpolated between the points; beyond them the nearest point's.
  func full(at megahertz: Double) -> Double {
    let points = points.sorted { $0.megahertz < $1.megahertz }
    guard let first = points.first, let last = points.last else { return idle }
    if megahertz <= first.megahertz { return first.watts }
    if megahertz >= last.megahertz { return last.watts }
    for (low, high) in zip(points, points.dropFirst()) where megahertz <= high.megahertz {
      let share = (megahertz - low.megahertz) / (high.megahertz - low.megahertz)
      return low.watts + (high.watts - low.watts) * share
    }
    return last.watts
  }
}

/// What one CPU of a guest does.
public struct CPUActivity: Sendable, Hashable {
  /// 0: not known.
  public var megahertz: Double
  /// Share of the time in which it ran, 0...1.
  public var load: Double

  /// Creates an activity.
  public init(_ megahertz: Double, load: Double) {
    self.megahertz = megahertz
    self.load = load
  }
}
