internal import KelvinModel

/// Profiles of boards and meters, for people and as data.
enum ProfileText {
  /// A page: what is true of every board of the kind.
  static func page(_ profile: BoardProfile, columns: Int) -> String {
    var page = Page("\(profile.name) (board)", profile.title, columns: columns)
    page.field("platform", profile.platform.rawValue)
    page.field("architecture", profile.architecture)
    if !profile.clusters.isEmpty {
      page.field("CPUs", "\(profile.cpus.count)")
      for cluster in profile.clusters { page.field("cluster", line(cluster)) }
    }
    page.field("console", profile.consoleBaud.map { "\($0) baud" })
    if let loader = profile.bootLoader {
      page.field("boot loader", loader.name)
      page.field("its prompt", loader.prompt.map(quoted))
      page.field("stops at", loader.stopAt.map(quoted))
      page.field("on receiving", loader.stopWith.map(quoted))
    }
    page.field("login prompt", profile.login?.prompt.map(quoted))
    page.field("user", profile.login?.user)
    page.field("shell prompt", profile.shellPrompt.map(quoted))
    page.field("settings", profile.settings.joined(separator: ", "))
    page.field("recovery", profile.recovery?.description)
    page.field("verified", profile.verified)
    page.list("QUIRKS", profile.quirks)
    page.list("NOTES", profile.notes)
    page.list("PROFILE", [profile.location.file])
    return page.text
  }

  /// A page: what is true of every meter of the kind.
  static func page(_ profile: MeterProfile, columns: Int) -> String {
    var page = Page("\(profile.name) (meter)", profile.title, columns: columns)
    page.field("driver", profile.driver)
    for model in profile.usb {
      page.field("USB", "\(model.id)" + (model.model.isEmpty ? "" : " \(model.model)"))
    }
    if profile.usesSerialLine { page.field("reached by", "a serial line") }
    page.field("TCP port", profile.tcpPort.map(String.init))
    page.field("samples", profile.sampleRateInHertz.map { quantity($0, "S/s") })
    for channel in profile.channels { page.field("channel", line(channel)) }
    page.field("modes", profile.modes.joined(separator: ", "))
    if let supply = profile.supply {
      let limit = supply.currentLimit.map { ", up to \(quantity($0, "A"))" } ?? ""
      page.field("supplies", range(supply.voltage, "V") + limit)
    }
    page.field("loss shows by", profile.lossWitness ?? "nothing")
    page.field("verified", profile.verified)
    page.list(
      "ACCURACY",
      profile.accuracy.map { figure in
        let conditions = figure.conditions.isEmpty ? "" : " (\(figure.conditions))"
        return "\(figure.channel ?? "all channels"): \(figure.figure)\(conditions); "
          + "source: \(figure.source)"
      })
    page.list("QUIRKS", profile.quirks)
    page.list("NOTES", profile.notes)
    page.list("PROFILE", [profile.location.file])
    return page.text
  }

  // MARK: parts

  private static func line(_ cluster: CPUCluster) -> String {
    var parts = ["\(cluster.name): CPU \(CPUList.text(cluster.cpus))"]
    if let kind = cluster.kind { parts.append(kind) }
    if let capacity = cluster.capacity { parts.append("capacity \(capacity)") }
    if !cluster.frequenciesInHertz.isEmpty {
      let megahertz = cluster.frequenciesInHertz.map { number($0 / 1e6) }
      parts.append(megahertz.joined(separator: "/") + " MHz")
    } else if let frequencies = cluster.frequencyRangeInHertz {
      parts.append(range(frequencies, "Hz"))
    }
    return parts.joined(separator: ", ")
  }

  private static func line(_ channel: MeterChannel) -> String {
    var text = "\(channel.name), \(channel.kind.rawValue)"
    guard let unit = channel.kind.dimension?.baseUnit else { return text }
    if let values = channel.range { text += ", \(range(values, unit))" }
    if let step = channel.resolution { text += ", in steps of \(quantity(step, unit))" }
    return text
  }

  private static func range(_ values: ClosedRange<Double>, _ unit: String) -> String {
    "\(quantity(values.lowerBound, unit)) to \(quantity(values.upperBound, unit))"
  }

  /// `200 nA`, `2.4 GHz`: with the prefix that leaves one to three digits before the point.
  static func quantity(_ value: Double, _ unit: String) -> String {
    guard unit != "degC", value != 0 else { return "\(number(value)) \(unit)" }
    let prefixes = [
      (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")
    ]
    // A little less, since 1e-6 may have been read as a product.
    let prefix = prefixes.first { abs(value) >= $0.0 * 0.999_999 } ?? (1e-9, "n")
    return "\(number(value / prefix.0)) \(prefix.1)\(unit)"
  }

  private static func number(_ value: Double) -> String {
    let rounded = (value * 1e6).rounded() / 1e6
    return rounded == rounded.rounded() && abs(rounded) < 1e15
      ? "\(Int64(rounded))" : "\(rounded)"
  }

  private static func quoted(_ text: String) -> String { "'" + LocatedValue.printable(text) + "'" }

  /// Lines of a page.
  private struct Page {
    private var lines: [String]
    private let columns: Int

    init(_ heading: String, _ title: String, columns: Int) {
      self.columns = columns
      lines = [heading, "", LocatedValue.printable(title), ""]
    }

    var text: String { lines.joined(separator: "\n") }

    /// A labeled value; nothing when there is none.
    mutating func field(_ name: String, _ value: String?) {
      guard let value, !value.isEmpty else { return }
      let label = name + String(repeating: " ", count: max(1, 15 - name.count))
      let wrapped = DeclarationText.wrap(
        LocatedValue.printable(value), columns: columns, indent: 15)
      guard let first = wrapped.first else { return }
      lines.append(label + first.dropFirst(15))
      lines += wrapped.dropFirst()
    }

    mutating func list(_ heading: String, _ items: [String]) {
      guard !items.isEmpty else { return }
      lines += ["", heading]
      for item in items {
        let wrapped = DeclarationText.wrap(
          LocatedValue.printable(item), columns: columns, indent: 4)
        guard let first = wrapped.first else { continue }
        lines.append("  - " + first.dropFirst(4))
        lines += wrapped.dropFirst()
      }
    }
  }
}
