internal import KelvinConnections
internal import KelvinModel

/// What the drivers of kernel meters share.
enum KernelMeter {
  /// Makes a meter of a kernel's files, after its channels are chosen and their accuracy is said.
  static func open(
    name: String, driver: String, model: String, location: String, range: String = "",
    channels: [Channel], files: [TargetPath], rate: Double, properties: [MeterProperty],
    options: [String: Value], verified: String, through connection: any Connection
  ) throws(MeterFailure) -> FileMeter {
    var chosen = Array(zip(channels, files))
    if let names = options["channels"]?.list?.compactMap(\.text), !names.isEmpty {
      for wanted in names where !channels.contains(where: { $0.name == wanted }) {
        throw MeterFailure(
          .invalid, "\(name): it has no channel '\(wanted)'",
          hint: "it has " + channels.map(\.name).joined(separator: ", "))
      }
      chosen = chosen.filter { names.contains($0.0.name) }
    }
    let accuracy = try AccuracyOptions.read(options["accuracy"], of: name)
    let calibration = options["calibrated"]?.text ?? ""
    return FileMeter(
      MeterIdentity(
        name: name, driver: driver, model: model, location: location, range: range,
        calibration: calibration, verified: verified),
      channels: chosen.map { channel, _ in
        var channel = channel
        channel.accuracy = channel.kind.flatMap { accuracy[$0] } ?? channel.accuracy
        return channel
      }, files: chosen.map(\.1), rate: rate, properties: properties, through: connection)
  }
}
