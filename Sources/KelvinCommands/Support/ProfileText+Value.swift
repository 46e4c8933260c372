internal import KelvinModel

// Profiles as data, for `--format json`; quantities in base units.
extension ProfileText {
  static func value(_ profile: BoardProfile) -> Value {
    .map([
      "kind": "board", "name": .text(profile.name), "title": .text(profile.title),
      "platform": .text(profile.platform.rawValue), "architecture": text(profile.architecture),
      "cpus": .integer(Int64(profile.cpus.count)),
      "clusters": .list(
        profile.clusters.map { cluster in
          .map([
            "name": .text(cluster.name), "kind": text(cluster.kind),
            "cpus": .list(cluster.cpus.map { .integer(Int64($0)) }),
            "capacity": integer(cluster.capacity),
            "frequencies": .list(cluster.frequenciesInHertz.map(Value.number)),
            "frequency": range(cluster.frequencyRangeInHertz)
          ])
        }),
      "console": .map(["baud": integer(profile.consoleBaud)]),
      "boot_loader": profile.bootLoader.map { loader in
        .map([
          "name": .text(loader.name), "prompt": text(loader.prompt),
          "stop_at": text(loader.stopAt), "stop_with": text(loader.stopWith)
        ])
      } ?? .null,
      "login": profile.login.map { login in
        .map(["prompt": text(login.prompt), "user": text(login.user)])
      } ?? .null,
      "shell_prompt": text(profile.shellPrompt), "settings": texts(profile.settings),
      "recovery": profile.recovery.map { texts($0.rungs.map(\.rung.rawValue)) } ?? .null,
      "quirks": texts(profile.quirks), "notes": texts(profile.notes),
      "verified": text(profile.verified), "file": .text(profile.location.file)
    ])
  }

  static func value(_ profile: MeterProfile) -> Value {
    .map([
      "kind": "meter", "name": .text(profile.name), "title": .text(profile.title),
      "driver": .text(profile.driver),
      "usb": .list(
        profile.usb.map { model in
          .map([
            "id": .text("\(model.id)"), "model": .text(model.model),
            "is_meter": .boolean(model.isMeter)
          ])
        }),
      "serial_line": .boolean(profile.usesSerialLine), "tcp_port": integer(profile.tcpPort),
      "sample_rate": profile.sampleRateInHertz.map(Value.number) ?? .null,
      "channels": .list(
        profile.channels.map { channel in
          .map([
            "name": .text(channel.name), "kind": .text(channel.kind.rawValue),
            "unit": text(channel.kind.dimension?.baseUnit), "range": range(channel.range),
            "resolution": channel.resolution.map(Value.number) ?? .null
          ])
        }),
      "accuracy": .list(
        profile.accuracy.map { figure in
          .map([
            "channel": text(figure.channel), "figure": .text(figure.figure),
            "conditions": .text(figure.conditions), "source": .text(figure.source)
          ])
        }),
      "supply": profile.supply.map { supply in
        .map([
          "voltage": range(supply.voltage),
          "current": supply.currentLimit.map(Value.number) ?? .null
        ])
      } ?? .null,
      "modes": texts(profile.modes), "loss_witness": text(profile.lossWitness),
      "quirks": texts(profile.quirks), "notes": texts(profile.notes),
      "verified": text(profile.verified), "file": .text(profile.location.file)
    ])
  }

  private static func text(_ text: String?) -> Value { text.map(Value.text) ?? .null }
  private static func texts(_ texts: [String]) -> Value { .list(texts.map(Value.text)) }
  private static func integer(_ number: Int?) -> Value {
    number.map { .integer(Int64($0)) } ?? .null
  }
  private static func range(_ range: ClosedRange<Double>?) -> Value {
    range.map { .map(["min": .number($0.lowerBound), "max": .number($0.upperBound)]) } ?? .null
  }
}
