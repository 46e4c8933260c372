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
    .meter, "iio", summary: "An IIO device of this machine, captured through its buffer.",
    description: """
      The kernel takes the samples, with its own time stamps, and keeps them until they are read: \
      whoever reads late loses nothing before the buffer is full, and what is lost then shows in the \
      time stamps. Everything that is changed for a capture (which channels are enabled, the buffer, the \
      trigger, the rate) is put back at its end. A device that needs a trigger and has none gets one of \
      the kernel's hrtimer or sysfs triggers for the time of the capture.
      Sources: Linux, Documentation/ABI/testing/sysfs-bus-iio and drivers/iio.
      """,
    options: IIOOptions.declared(
      device: OptionDeclaration(
        "device", .text, required: true,
        "The device: its chip's name ('ina226'), its label, the address of its bus ('1-0040'), or "
          + "'iio:device0', which may be another device after a reboot.")),
    verified: IIODriver.verified)

  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    let devices = try await IIOSysfs.devices(through: connection, until: deadline)
    return devices.compactMap { device in
      // Sensors without a buffer are hwmon's, or nobody's.
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
        obstacle: connection.capabilities.isThisMachine ? nil : IIODriver.elsewhere(connection))
    }
  }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    guard connection.capabilities.isThisMachine else { throw IIODriver.elsewhere(connection) }
    let options = IIOOptions(options)
    let devices = try await IIOSysfs.devices(through: connection, until: deadline)
    let device = try IIODriver.choose(options.device, among: devices, name: name)
    return try IIOMeter(name: name, device: device, options: options, files: IIOFiles(root: root))
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
