internal import KelvinModel

/// Turns a meter profile's located values into a profile, and finds what contradicts itself.
struct MeterProfileReader {
  private let owner: String
  private let name: String

  init(name: String) {
    self.name = name
    owner = "meter profile \(LocatedValue.quoted(name))"
  }

  /// The profile; incomplete after mistakes.
  func read(_ root: LocatedValue, _ checker: inout ValueChecker) -> MeterProfile? {
    let map = ProfileMap(
      root, ProfileKeys.meter, apart: ["channels", "accuracy"], as: owner, &checker)
    let usb = readUSB(map, &checker)
    let channels = readChannels(map, &checker)
    let accuracy = readAccuracy(map, channels, &checker)
    let supply = readSupply(map, &checker)
    guard let title = map.text("title"), let driver = map.text("driver") else { return nil }
    return MeterProfile(
      name: name, title: title, driver: driver, usb: usb,
      usesSerialLine: map.values["serial_line"]?.boolean ?? false,
      tcpPort: map.values["tcp_port"]?.integer.map(Int.init),
      sampleRateInHertz: map.values["sample_rate"]?.number, channels: channels,
      accuracy: accuracy, supply: supply, modes: map.texts("modes"),
      lossWitness: map.text("loss_witness"), quirks: map.texts("quirks"),
      notes: map.texts("notes"), verified: map.text("verified"),
      location: SourceLocation(file: root.location.file))
  }

  private func readUSB(
    _ map: ProfileMap, _ checker: inout ValueChecker
  ) -> [MeterProfile.USBModel] {
    guard let values = map.values["usb"]?.list, let written = map.written("usb") else { return [] }
    var models: [MeterProfile.USBModel] = []
    for (value, place) in zip(values.compactMap(\.map), written.list ?? [written]) {
      guard let text = value["id"]?.text else { continue }
      guard let id = USBDeviceID(text) else {
        checker.diagnostics.error(
          place.location,
          "\(owner): usb: expected VENDOR:PRODUCT such as 1915:c00a, found "
            + LocatedValue.quoted(text))
        continue
      }
      if models.contains(where: { $0.id == id }) {
        checker.diagnostics.error(place.location, "\(owner): usb: \(id) is listed twice")
      }
      models.append(
        .init(id, model: value["model"]?.text ?? "", isMeter: value["is_meter"]?.boolean ?? true))
    }
    return models
  }

  private func readChannels(_ map: ProfileMap, _ checker: inout ValueChecker) -> [MeterChannel] {
    let parts = map.elements("channels", ProfileKeys.channel, named: "channel", &checker)
    checker.refuseRepeats(parts, of: "channel", as: owner)
    return parts.compactMap { part in
      guard let name = part.text("name"),
        let kind = part.text("kind").flatMap(MeterChannel.Kind.init(rawValue:))
      else { return nil }
      var channel = MeterChannel(name: name, kind: kind)
      let low = figure("min", part, kind, &checker)
      let high = figure("max", part, kind, &checker)
      channel.resolution = figure("resolution", part, kind, &checker)?.number
      let at = part.written("min") == nil ? part.place("max") : part.place("min")
      if (part.written("min") == nil) != (part.written("max") == nil) {
        checker.diagnostics.error(at, "\(part.owner): 'min' and 'max' need each other")
      }
      channel.range = checker.range(low, high, at: at, as: part.owner)
      if let range = channel.range, let step = channel.resolution,
        step > range.upperBound - range.lowerBound
      {
        checker.diagnostics.error(
          part.place("resolution"), "\(part.owner): the resolution is wider than the range")
      }
      return channel
    }
  }

  /// A value in the unit of the channel's kind.
  private func figure(
    _ option: String, _ part: ProfileMap, _ kind: MeterChannel.Kind,
    _ checker: inout ValueChecker
  ) -> Value? {
    guard let written = part.written(option) else { return nil }
    guard let dimension = kind.dimension else {
      checker.diagnostics.error(
        written.location, "\(part.owner): a logic channel has no '\(option)'")
      return nil
    }
    let range: ClosedRange<Double>? = option == "resolution" ? 0...1e12 : nil
    return checker.diagnostics.collect { found in
      OptionType.quantity(dimension, bare: nil).validate(
        written, as: "\(part.owner): \(option)", range: range, into: &found)
    }
  }

  private func readAccuracy(
    _ map: ProfileMap, _ channels: [MeterChannel], _ checker: inout ValueChecker
  ) -> [AccuracyFigure] {
    map.elements("accuracy", ProfileKeys.accuracy, named: "figure of 'accuracy'", &checker)
      .compactMap { part in
        guard let figure = part.text("figure"), let source = part.text("source") else {
          return nil
        }
        let channel = part.text("channel")
        if let channel, !channels.contains(where: { $0.name == channel }) {
          checker.diagnostics.error(
            part.place("channel"),
            "\(owner): accuracy: no channel is called \(LocatedValue.quoted(channel))",
            hint: NearestName.hint(for: channel, in: channels.prefix(200).map(\.name)))
        }
        return AccuracyFigure(
          channel: channel, figure: figure, conditions: part.text("conditions") ?? "",
          source: source)
      }
  }

  private func readSupply(_ map: ProfileMap, _ checker: inout ValueChecker) -> SupplyRange? {
    guard let values = map.values["supply"]?.map,
      let voltage = checker.range(
        values["min"], values["max"], at: map.place("supply"), as: "\(owner): supply")
    else { return nil }
    return SupplyRange(voltage: voltage, currentLimit: values["current"]?.number)
  }
}
