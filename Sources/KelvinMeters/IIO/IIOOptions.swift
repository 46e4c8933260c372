internal import KelvinModel

/// What bench files may say of an IIO device, wherever it is.
struct IIOOptions: Sendable, Hashable {
  /// Nil: the only one there is.
  var device: String?
  /// Ids or labels of channels; empty: all of them.
  var channels: [String]
  /// Samples a second.
  var rate: Double?
  var oversampling: Int64?
  /// Seconds.
  var integrationTime: Double?
  /// Ohms.
  var shunt: Double?
  /// Relative: 0.01 for 1 %.
  var shuntTolerance: Double?
  var trigger: String?
  /// Scans that the kernel keeps.
  var buffer: Int?
  var readsAsynchronously: Bool

  init(_ values: [String: Value]) {
    device = values["device"]?.text
    channels = values["channels"]?.list?.compactMap(\.text) ?? []
    rate = values["rate"]?.number
    oversampling = values["oversampling"]?.integer
    integrationTime = values["integration-time"]?.number
    shunt = values["shunt"]?.number
    shuntTolerance = values["shunt-tolerance"]?.number
    trigger = values["trigger"]?.text
    buffer = values["buffer"]?.integer.flatMap { Int(exactly: $0) }
    readsAsynchronously = values["async-readout"]?.boolean ?? false
  }

  /// - Parameter device: what `device` is for, and whether it must be given.
  static func declared(device: OptionDeclaration) -> [OptionDeclaration] {
    [
      device,
      .init(
        "channels", .list(.text), isDetail: true,
        "Which of its channels, such as 'voltage1', or by their labels; all of them otherwise."),
      .init(
        "rate", .quantity(.frequency, bare: "Hz"), range: 1e-3...1e8, isDetail: true,
        "Samples a second: the device's, or else its trigger's 'sampling_frequency'."),
      .init(
        "oversampling", .integer, range: 1...65_536, isDetail: true,
        "Conversions that are averaged for a sample."),
      .init(
        "integration-time", .quantity(.time, bare: nil), range: 1e-7...100, isDetail: true,
        "The time of a conversion."),
      .init(
        "shunt", .quantity(.resistance, bare: nil), range: 1e-6...1e6, isDetail: true,
        "What the shunt is; the kernel computes current and power with it."),
      .init(
        "shunt-tolerance", .quantity(.ratio, bare: nil), range: 0...1, isDetail: true,
        "How far the shunt may be off; part of the uncertainty of current and power."),
      .init(
        "trigger", .text, isDetail: true,
        "The name of the trigger that starts each sample; otherwise the one it has."),
      .init(
        "buffer", .integer, range: 2...4_194_304, isDetail: true,
        "Scans that the kernel keeps for a reader who is late; two seconds' worth otherwise."),
      .init(
        "async-readout", .boolean, default: false, isDetail: true,
        "For an INA2xx: read it without waiting for its conversion-ready flag, so that the same "
          + "conversion may come twice.")
    ]
  }
}
