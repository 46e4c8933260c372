internal import KelvinModel

/// An IIO device, as sysfs or an iiod's context describes it.
struct IIODevice: Sendable, Hashable {
  /// `iio:device0`; differs from boot to boot.
  var id: String
  /// The chip: `ina226`.
  var name: String
  /// From the device tree; mostly empty.
  var label: String
  /// The device of the bus behind it: `0-0040`; empty where that is not known.
  var parent: String
  /// Those of the whole device, by the names of their files.
  var attributes: Set<String>
  /// In the order in which they are listed.
  var channels: [IIOChannel]
  /// Whether it takes its samples when a trigger says so.
  var takesTrigger: Bool
  /// Of a shunt monitor, in ohms, as the kernel has it now.
  var shunt: Double?
  /// Attributes of the whole device that an iiod knows as those of a channel: libiio 0.24 makes of
  /// `in_shunt_resistor` the attribute `resistor` of a channel `shunt`.
  var homes: [String: Home] = [:]

  struct Home: Sendable, Hashable {
    var channel: String
    var name: String
  }

  /// Those whose samples can be captured, time stamps left out.
  var elements: [IIOChannel] {
    channels.filter { $0.element != nil && !$0.isTimestamp && !$0.isOutput }
  }
  var timestamp: IIOChannel? { channels.first { $0.isTimestamp && $0.element != nil } }

  /// What people call it.
  var title: String { [label, name, id].first { !$0.isEmpty } ?? id }

  /// Whether a bench file means it by this word.
  func isCalled(_ word: String) -> Bool {
    !word.isEmpty && [id, name, label, parent].contains(word)
  }

  /// Texas Instruments' current shunt monitors by the kernel's ina2xx-adc.
  var isShuntMonitor: Bool { attributes.contains("in_shunt_resistor") }

  /// What the kernel says wrongly: ina2xx-adc (6.1) calls all registers unsigned, but those of the
  /// shunt's voltage and of the current are two's complement (INA226 data sheet, SBOS547A, 7.6.2 and
  /// 7.6.5), and a current that flows back would read as a very large one.
  mutating func correct() {
    guard isShuntMonitor else { return }
    for index in channels.indices
    where channels[index].id == "voltage0" || channels[index].id == "current3" {
      channels[index].element?.format.isSigned = true
    }
  }
}

/// A channel of an IIO device.
struct IIOChannel: Sendable, Hashable {
  /// `current3`
  var id: String
  /// What its maker or the device tree calls it; mostly empty.
  var label: String
  var isOutput: Bool
  /// Its attributes: by name (`integration_time`) the names of their files.
  var attributes: [String: String]
  /// How its samples lie in a scan; nil for one that cannot be captured.
  var element: Element?
  /// Value = (code + offset) * scale, in the kernel's unit.
  var scale: Double
  var offset: Double

  struct Element: Sendable, Hashable {
    var index: Int
    var format: IIOElementFormat
  }

  var isTimestamp: Bool { id == "timestamp" }
}

/// An attribute of a device or of a channel.
struct IIOAttribute: Sendable, Hashable {
  /// `iio:device0`, `trigger1`
  var device: String
  /// Nil for one of the whole device.
  var channel: IIOChannel?
  /// Within the channel, or the device.
  var name: String

  init(_ device: String, _ name: String) { self.init(device, nil, name) }

  init(_ device: String, _ channel: IIOChannel?, _ name: String) {
    self.device = device
    self.channel = channel
    self.name = name
  }

  var description: String { [device, channel?.id, name].compactMap { $0 }.joined(separator: " ") }
}

/// Reads and writes attributes, of this machine or through an iiod. Blocks; used by one thread at a time.
protocol IIOAttributes: Sendable {
  func read(_ attribute: IIOAttribute, until deadline: Deadline) throws(MeterFailure) -> String
  func write(
    _ value: String, to attribute: IIOAttribute, until deadline: Deadline
  ) throws(MeterFailure)
}
