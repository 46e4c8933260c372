public import KelvinConnections
public import KelvinModel

/// `driver: yoctopuce`: Yoctopuce's meters behind VirtualHub or a YoctoHub.
public struct YoctopuceDriver: MeterDriver {
  /// Creates the driver.
  public init() {}

  static let verified = "simulator only"

  public let declaration = Declaration(
    .meter, "yoctopuce",
    summary: "A Yocto-Watt, Yocto-Amp or Yocto-Volt, behind VirtualHub or a YoctoHub.",
    description: """
      The module is asked over the hub's REST interface, at 'rate', and tells its last conversion. With \
      'counter: true' the energy counter of its power is read, too, and energies are its own; nothing resets it. Where \
      voltage and current come alternating (Yocto-Watt at the mains), use its power.
      Source: yoctoLib for Python, VirtualHub's manual (hardware/meters/yoctopuce.md).
      """,
    options: MeterHTTP.options(port: 4444) + MeterHTTP.credentials + [
      .init(
        "serial", .text, "Which module, by its serial number; otherwise the only one that measures."
      ),
      .init(
        "sensors", .list(.text), isDetail: true,
        "Which of its functions are read, such as [power]; power, or else voltage and current, otherwise."
      ),
      .init(
        "counter", .boolean, default: false, isDetail: true,
        "Whether the energy counter of its power is read as well."),
      .init(
        "rate", .quantity(.frequency, bare: "Hz"), default: .number(10), range: 1e-3...100,
        isDetail: true, "Questions a second."),
      .init(
        "update", .quantity(.time, bare: "s"), default: .number(0.1), range: 0.001...3600,
        isDetail: true, "How often it makes a new value."),
      .init(
        "patience", .quantity(.time, bare: "s"), default: .number(5), range: 0.1...600,
        isDetail: true, "How long no question may be answered."),
      AccuracyOptions.option
    ], verified: YoctopuceDriver.verified)

  /// A machine of its own.
  public func needsLink(_ options: [String: Value]) -> Bool { false }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let http = try MeterHTTP(options, port: 4444, of: name)
    let patience = options["patience"]?.number ?? 5
    let limit = deadline.limited(toSeconds: 2 * patience)
    let serial =
      if let named = options["serial"]?.text { named } else {
        try YoctoSource.only(http, until: limit)
      }
    guard serial.utf8.allSatisfy({ $0.isAlphanumeric || $0 == UInt8(ascii: "-") }) else {
      throw MeterFailure(
        .invalid, "\(name): '\(serial)' is no serial number", hint: "such as YWATTMK1-12345")
    }
    let module = try YoctoSource.module(http, serial, until: limit)
    let (parts, channels) = try YoctoPlan(options, name).parts(YoctoReading.sensors(module), http)
    let says = module["module"]?.map ?? [:]
    return PolledMeter(
      MeterIdentity(
        name: name, driver: "yoctopuce", model: says["productName"]?.text ?? "", serial: serial,
        firmware: says["firmwareRelease"]?.text ?? "", location: "\(http.host):\(http.port)",
        verified: Self.verified),
      YoctoSource(http: http, serial: serial, parts: parts, channels: channels),
      rate: options["rate"]?.number ?? 10, patience: patience,
      properties: [
        MeterProperty("module", "\(says["productName"]?.text ?? "") \(serial)"),
        MeterProperty(
          "read", parts.map { $0.sensor + ($0.isCounter ? " meter" : "") }.joined(separator: ", "))
      ])
  }
}

extension UInt8 {
  fileprivate var isAlphanumeric: Bool {
    (48...57).contains(self) || (65...90).contains(self) || (97...122).contains(self)
  }
}
