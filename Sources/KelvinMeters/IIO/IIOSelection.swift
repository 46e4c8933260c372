internal import KelvinModel

/// What is captured of a device: its chosen channels, and how they become ``Channel`` values.
struct IIOSelection: Sendable {
  let device: IIODevice
  let options: IIOOptions
  let chosen: [IIOChannel]
  /// Of the meter: one for each chosen channel, more for one with repeats.
  let channels: [Channel]

  /// - Throws: `notFound` for channels that it does not have or that cannot be captured.
  init(
    _ device: IIODevice, _ options: IIOOptions, name: String, samplesPerSecond: Double?
  ) throws(MeterFailure) {
    self.device = device
    self.options = options
    var chosen: [IIOChannel] = []
    for word in options.channels {
      guard let found = device.elements.first(where: { $0.id == word || $0.label == word }) else {
        let names = device.elements.map(\.id)
        throw MeterFailure(
          .notFound, "\(name): \(device.title) has no channel '\(word)' that can be captured",
          hint: names.isEmpty ? "it has none" : "it has " + names.joined(separator: ", "))
      }
      if !chosen.contains(found) { chosen.append(found) }
    }
    self.chosen = options.channels.isEmpty ? device.elements : chosen
    guard !self.chosen.isEmpty else {
      throw MeterFailure(
        .notFound, "\(name): \(device.title) has no channel that can be captured",
        hint: "its driver has no buffer; read it as 'hwmon' where it is a hwmon device, too")
    }
    channels = self.chosen.flatMap { channel in
      IIOSelection.channels(of: channel, device, options, samplesPerSecond)
    }
  }

  /// How scans of these elements are read, in the order of ``channels``; nil when one of the chosen is
  /// not among them.
  func plan(
    elements: [IIOChannel], period: Double?
  ) -> IIOScanStream.Plan? {
    let placed = elements.compactMap { channel in
      channel.element.map { (index: $0.index, format: $0.format) }
    }
    guard placed.count == elements.count else { return nil }
    var places: [(field: Int, part: Int)] = []
    for channel in chosen {
      guard let field = elements.firstIndex(where: { $0.id == channel.id && !$0.isOutput }) else {
        return nil
      }
      for part in 0..<placed[field].format.repeats { places.append((field, part)) }
    }
    return IIOScanStream.Plan(
      layout: IIOScanLayout(placed), channels: places,
      timestamp: elements.firstIndex { $0.isTimestamp }, period: period)
  }

  private static func channels(
    of channel: IIOChannel, _ device: IIODevice, _ options: IIOOptions, _ rate: Double?
  ) -> [Channel] {
    guard let format = channel.element?.format else { return [] }
    let quantity = IIOQuantity(channel: channel.id)
    var factor = quantity.factor
    if let shunt = options.shunt, let usual = device.shunt, channel.dependsOnShunt {
      // The kernel computes it as soon as the shunt is set, which is at the start.
      factor *= usual / shunt
    }
    let scale = channel.scale * factor
    let offset = channel.offset * scale
    let ends = [format.codes.lowerBound, format.codes.upperBound].map {
      Double($0) * scale + offset
    }
    let name = channel.label.isEmpty ? channel.id : channel.label
    return (0..<format.repeats).map { part in
      Channel(
        name: format.repeats > 1 ? "\(name)_\(part)" : name, unit: quantity.unit, scale: scale,
        offset: offset, site: device.site(of: channel), kind: quantity.kind,
        range: min(ends[0], ends[1])...max(ends[0], ends[1]),
        accuracy: device.accuracy(of: channel, options),
        averagingTime: device.isShuntMonitor ? rate.map { 1 / $0 } : nil)
    }
  }
}

extension IIOSelection {
  /// What was announced when the device was opened must hold once it is set up.
  func checkScales(
    _ attributes: any IIOAttributes, until deadline: Deadline
  ) throws(MeterFailure) {
    for channel in chosen {
      guard channel.attributes["scale"] != nil else { continue }
      let text = try attributes.read(IIOAttribute(device.id, channel, "scale"), until: deadline)
      var announced = channel.scale
      if let shunt = options.shunt, let usual = device.shunt, channel.dependsOnShunt {
        announced *= usual / shunt
      }
      // The kernel gives 6 or 9 places.
      guard let scale = Double(text), abs(scale - announced) <= 0.002 * abs(announced) + 1e-9 else {
        throw MeterFailure(
          .malfunction, "\(device.title) \(channel.id): its scale is '\(text)', not \(announced)",
          hint: "was its shunt or gain set meanwhile? Open it anew")
      }
    }
  }
}

extension IIOChannel {
  /// Of an INA2xx: what is computed with the shunt.
  var dependsOnShunt: Bool { id.hasPrefix("current") || id.hasPrefix("power") }
}

extension IIODevice {
  /// The kernel's INA2xx measures one place: the shunt's own voltage is another.
  func site(of channel: IIOChannel) -> String {
    guard isShuntMonitor else { return "" }
    return channel.id == "voltage0" ? "\(title).shunt" : title
  }

  /// As its data sheet states it.
  func accuracy(of channel: IIOChannel, _ options: IIOOptions) -> Accuracy? {
    guard isShuntMonitor, let chip = ChipAccuracy.known[name] else { return nil }
    switch channel.id {
    case "voltage0": return chip.shuntVoltage()
    case "voltage1": return chip.voltage()
    case _ where channel.id.hasPrefix("current"):
      return chip.current(
        (options.shunt ?? shunt).map {
          ChipAccuracy.Shunt(resistance: $0, tolerance: options.shuntTolerance)
        })
    // Power's offset is no constant: it is the current's times the voltage, and the other way round.
    default: return nil
    }
  }
}
