internal import KelvinModel

/// What of a module is read.
struct YoctoPlan: Sendable {
  private let name: String
  /// Nil: power, or else voltage and current.
  private let wanted: [String]?
  private let readsCounter: Bool
  private let update: Double
  private let accuracy: [MeterChannel.Kind: Accuracy]

  /// Reads the options.
  init(_ options: [String: Value], _ name: String) throws(MeterFailure) {
    self.name = name
    wanted = options["sensors"]?.list?.compactMap(\.text)
    readsCounter = options["counter"]?.boolean ?? false
    update = options["update"]?.number ?? 0.1
    accuracy = try AccuracyOptions.read(options["accuracy"], of: name)
  }

  /// The channels, and what they are read from.
  ///
  /// - Throws: `notFound` for sensors that the module does not have; `unsupported` for units that are none, and for a
  ///   counter where there is none.
  func parts(
    _ sensors: [YoctoReading.Sensor], _ http: MeterHTTP
  ) throws(MeterFailure) -> ([YoctoSource.Part], [Channel]) {
    let known = sensors.map(\.id).joined(separator: ", ")
    let powers = sensors.filter { $0.kind == .power }.map(\.id)
    let names = wanted ?? (powers.isEmpty ? sensors.map(\.id) : powers)
    var parts: [YoctoSource.Part] = []
    var channels: [Channel] = []
    for id in names {
      guard let sensor = sensors.first(where: { $0.id == id }) else {
        throw MeterFailure(
          .notFound, "\(http.name): the module has no '\(id)'", hint: "it has \(known)")
      }
      guard let unit = Unit(symbol: sensor.unit), unit.dimension == sensor.kind.dimension else {
        throw MeterFailure(
          .unsupported, "\(http.name): '\(id)' is in '\(sensor.unit)'",
          hint: "set a unit of \(sensor.kind.rawValue) at the module")
      }
      parts.append(.init(sensor: id, isCounter: false, factor: unit.factor))
      var accuracy = accuracy[sensor.kind]
      if accuracy != nil, let resolution = sensor.resolution, resolution > 0 {
        accuracy?.resolution = resolution * unit.factor
      }
      channels.append(
        Channel(
          name: id, unit: sensor.kind.dimension?.baseUnit ?? "", scale: unit.factor * 1e-3,
          // A Yocto-Watt is at the mains: voltage times current is no power there.
          site: powers.isEmpty || sensor.kind == .power ? "" : id, kind: sensor.kind,
          accuracy: accuracy, averagingTime: update))
      guard readsCounter, sensor.kind == .power else { continue }
      guard sensor.energy != nil else {
        throw MeterFailure(.unsupported, "\(http.name): '\(id)' has no energy counter")
      }
      parts.append(.init(sensor: id, isCounter: true, factor: 3600))
      channels.append(
        Channel(
          name: "\(id)-energy", unit: "J", scale: 3.6, kind: .energy,
          accuracy: self.accuracy[.energy], wrap: 0, averagingTime: update))
    }
    guard !channels.isEmpty else {
      throw MeterFailure(.notFound, "\(http.name): the module measures nothing that is read")
    }
    return (parts, channels)
  }
}
