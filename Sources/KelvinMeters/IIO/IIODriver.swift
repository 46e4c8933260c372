public import KelvinConnections
public import KelvinModel

/// `driver: iio`: captures from the kernel's industrial I/O devices through their buffers.
public struct IIODriver: MeterDriver {
  /// Stands for `/` of this machine's files.
  private let root: String

  static let verified = "a real kernel's iio-dummy, and its INA226 driver on an emulated chip, only"

  /// Creates the driver.
  public init() { root = "" }

  /// Creates one for devices below a directory, for tests.
  package init(root: String) { self.root = root }

  public let declaration = Declaration(
    .meter, "iio",
    summary: "An IIO device, captured through its buffer or read channel by channel.",
    description: """
      The kernel takes the samples, with its own time stamps, and keeps them until they are read: \
      whoever reads late loses nothing before the buffer is full, and what is lost then shows in the \
      time stamps. Everything that is changed for a capture (which channels are enabled, the buffer, the \
      trigger, the rate) is put back at its end. A device that needs a trigger and has none gets one of \
      the kernel's hrtimer or sysfs triggers for the time of the capture. On a board behind a link, and of \
      devices without a buffer, channels are read one by one ('readout: raw'), at a rate that is stated: \
      slower, and each at a time of its own.
      Sources: Linux, Documentation/ABI/testing/sysfs-bus-iio and drivers/iio.
      """,
    options: IIOOptions.declared(
      device: OptionDeclaration(
        "device", .text, required: true,
        "The device: its chip's name ('ina226'), its label, the address of its bus ('1-0040'), or "
          + "'iio:device0', which may be another device after a reboot.")) + [
        OptionDeclaration(
          "readout", .choice(["buffer", "raw"]), isDetail: true,
          "Through the kernel's buffer, or channel by channel, 'rate' times a second (10 without); "
            + "default: the buffer where there is one and this machine has it.")
      ],
    verified: IIODriver.verified)

  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    let devices = try await IIOSysfs.devices(through: connection, until: deadline)
    return devices.compactMap { device in
      // Sensors without a buffer are hwmon's, or nobody's: they are used when they are named.
      guard !device.elements.isEmpty else { return nil }
      let word = IIODriver.word(for: device, among: devices)
      let options: [String: Value] = ["device": .text(word)]
      let selection = try? IIOSelection(
        device, IIOOptions(options), name: word, samplesPerSecond: nil)
      return FoundMeter(
        name: "iio/\(word)", driver: "iio", options: options,
        summary:
          "IIO device \(device.title)\(device.parent.isEmpty ? "" : " at \(device.parent)"): "
          + device.elements.map(\.id).joined(separator: ", "),
        channels: selection?.channels ?? [],
        obstacle: connection.capabilities.isThisMachine
          || !IIORaw.names(device.attributes).isEmpty ? nil : IIODriver.elsewhere(connection))
    }
  }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let readout = options["readout"]?.text
    let options = IIOOptions(options)
    let devices = try await IIOSysfs.devices(through: connection, until: deadline)
    let device = try IIODriver.choose(options.device, among: devices, name: name)
    let isHere = connection.capabilities.isThisMachine
    if readout == "raw" || readout == nil && (!isHere || device.elements.isEmpty) {
      return try await IIODriver.openRaw(device, options, name, connection, deadline)
    }
    guard isHere else { throw IIODriver.elsewhere(connection) }
    return try IIOMeter(name: name, device: device, options: options, files: IIOFiles(root: root))
  }

  /// Only what is read alone can be asked of a device whose buffer is not used.
  private static func openRaw(
    _ device: IIODevice, _ options: IIOOptions, _ name: String, _ connection: any Connection,
    _ deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    let set: [(String, Bool)] = [
      ("oversampling", options.oversampling != nil), ("shunt", options.shunt != nil),
      ("integration-time", options.integrationTime != nil), ("trigger", options.trigger != nil),
      ("buffer", options.buffer != nil)
    ]
    if let option = set.first(where: \.1)?.0 {
      throw MeterFailure(
        .invalid, "\(name): '\(option)' is set for captures through a buffer only",
        hint: "the channels of \(device.title) are read one by one here")
    }
    let raw = try await IIORaw(
      device, options, name: name, through: connection, until: deadline)
    return FileMeter(
      MeterIdentity(
        name: name, driver: "iio", model: device.name,
        location: "\(connection.name): \(device.id), read channel by channel", verified: verified),
      channels: raw.channels, files: raw.files, rate: options.rate ?? 10, properties: [],
      through: connection)
  }

  private static func elsewhere(_ connection: any Connection) -> MeterFailure {
    MeterFailure(
      .unsupported, "\(connection.name): buffers of IIO devices are read on this machine only",
      hint: "run iiod on the board, and use 'driver: iiod' with its host")
  }

  /// What names a device for as long as possible: its place on a bus, its label, its chip, its number.
  private static func word(for device: IIODevice, among all: [IIODevice]) -> String {
    for word in [device.label, device.parent, device.name]
    where !word.isEmpty && all.count(where: { $0.isCalled(word) }) == 1 {
      return word
    }
    return device.id
  }

  /// The device that a bench file means.
  ///
  /// - Parameter word: nil: the only one that can be captured.
  static func choose(
    _ word: String?, among devices: [IIODevice], name: String
  ) throws(MeterFailure) -> IIODevice {
    let found =
      word.map { word in devices.filter { $0.isCalled(word) } }
      ?? devices.filter { !$0.elements.isEmpty }
    let list = devices.map {
      [$0.id, $0.name, $0.parent].filter { !$0.isEmpty }.joined(separator: " ")
    }
    .joined(separator: "; ")
    let wanted = word.map { "'\($0)'" } ?? "that can be captured"
    guard let device = found.first else {
      throw MeterFailure(
        .notFound, "\(name): there is no IIO device \(wanted)",
        hint: devices.isEmpty ? "there is none at all" : "there are: \(list)")
    }
    guard found.count == 1 else {
      throw MeterFailure(
        .invalid, "\(name): \(found.count) IIO devices are meant by \(wanted)",
        hint: "name one by its bus address or number: \(list)")
    }
    for channel in device.elements where !(channel.scale.isFinite && channel.scale != 0) {
      throw MeterFailure(
        .malfunction, "\(name): \(device.title) \(channel.id): a scale of \(channel.scale)",
        hint: "is its shunt set to 0?")
    }
    return device
  }
}
