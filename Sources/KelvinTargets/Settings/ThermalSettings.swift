internal import KelvinConnections
internal import KelvinModel

/// What the kernel does when a zone gets warm.
///
/// Source: Linux Documentation/driver-api/thermal/sysfs-api.rst. Temperatures are in thousandths of a
/// degree there.
struct ThermalSettings: SettingFamily {
  static let declarations: [SettingDeclaration] = [
    .init(
      "thermal_zones",
      .map(
        .structure(
          [
            .init("governor", .text, "What decides about cooling: the zone's policy."),
            .init("mode", .choice(["enabled", "disabled"]), "Whether the kernel acts at all."),
            .init(
              "trips", .map(.quantity(.temperature, bare: "degC")),
              "Temperatures of trip points by their numbers, where the kernel lets them be changed."
            )
          ], shorthand: "governor")), aliases: ["thermal"], group: "thermal",
      "By a zone's type or number, or 'all': '{cpu-thermal: {governor: step_wise, trips: {0: 85 "
        + "degC}}}'. A zone whose cooling is off may damage a board.")
  ]

  struct Zone: Sendable, Hashable {
    var number: Int
    var type: String
    var policy: String?
    var policies: [String]
    var mode: String?
    /// Thousandths of a degree by number.
    var trips: [Int: Int]

    var root: String { "/sys/class/thermal/thermal_zone\(number)" }
  }
  var zones: [Zone]

  private static let tripLimit = 12

  static func read(
    _ board: SettingsReader, until deadline: Deadline
  ) async throws(ConnectionFailure) -> ThermalSettings {
    let numbers = try await board.names(in: "/sys/class/thermal", until: deadline)
      .filter { $0.hasPrefix("thermal_zone") }.compactMap { Int($0.dropFirst(12)) }.sorted()
    let files =
      ["type", "policy", "available_policies", "mode"]
      + (0..<tripLimit).map { "trip_point_\($0)_temp" }
    let texts = try await board.texts(
      numbers.flatMap { zone in files.map { "/sys/class/thermal/thermal_zone\(zone)/\($0)" } },
      until: deadline)
    return ThermalSettings(
      zones: numbers.enumerated().map { index, number in
        let zone = Array(texts[(index * files.count)..<((index + 1) * files.count)])
        var trips: [Int: Int] = [:]
        for trip in 0..<tripLimit { trips[trip] = zone[4 + trip].flatMap { Int($0) } }
        return Zone(
          number: number, type: zone[0] ?? "", policy: zone[1], policies: zone[2]?.words ?? [],
          mode: zone[3], trips: trips)
      })
  }

  func wishes(
    for settings: [NamedSetting], cpus: CPUTopology, online: Set<Int>
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    for setting in settings where setting.name.base == "thermal_zones" {
      for (which, value) in (setting.value.map ?? [:]).sorted(by: { $0.key < $1.key }) {
        let found = zones.filter {
          which == "all" || $0.type == which || Int(which) == $0.number
            || which == "thermal_zone\($0.number)"
        }
        guard !found.isEmpty else {
          throw SettingFailure(
            .notOffered, "thermal_zones: the board has no zone '\(which)'",
            hint: NearestName.hint(for: which, in: zones.map(\.type)))
        }
        for zone in found { wishes += try self.wishes(zone, value.map ?? [:]) }
      }
    }
    return wishes
  }

  private func wishes(
    _ zone: Zone, _ asked: [String: Value]
  ) throws(SettingFailure) -> [SettingWish] {
    var wishes: [SettingWish] = []
    func wish(_ file: String, _ label: String, _ value: String, _ meaning: SettingMeaning = .text) {
      wishes.append(
        SettingWish(
          SettingPoint(file: "\(zone.root)/\(file)", "\(label) of zone \(zone.type)", meaning),
          value,
          setting: "thermal_zones"))
    }
    if let governor = asked["governor"]?.text {
      guard zone.policies.contains(governor) else {
        throw SettingFailure(
          .notOffered, "thermal_zones: zone \(zone.type) has no governor '\(governor)'",
          hint: NearestName.hint(for: governor, in: zone.policies))
      }
      wish("policy", "governor", governor)
    }
    if let mode = asked["mode"]?.text {
      guard zone.mode != nil else {
        throw SettingFailure(
          .notOffered, "thermal_zones: zone \(zone.type) cannot be switched off and on")
      }
      wish("mode", "mode", mode)
    }
    for (trip, value) in (asked["trips"]?.map ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let number = Int(trip), zone.trips[number] != nil else {
        throw SettingFailure(
          .notOffered, "thermal_zones: zone \(zone.type) has no trip point \(trip)",
          hint: "it has \(zone.trips.keys.sorted().map(String.init).joined(separator: ", "))")
      }
      wish(
        "trip_point_\(number)_temp", "trip point \(number)",
        "\(Int(((value.number ?? 0) * 1000).rounded()))", .number)
    }
    return wishes
  }

  func offers(cpus: CPUTopology) -> [SettingOffer] {
    zones.flatMap { zone in
      var offers: [SettingOffer] = []
      func offer(_ what: String, _ value: String?, _ range: String, _ file: String) {
        offers.append(
          SettingOffer(
            "thermal_zones: \(zone.type): \(what)", value: value, range: range,
            source: "\(zone.root)/\(file)"))
      }
      if zone.policy != nil {
        offer("governor", zone.policy, zone.policies.joined(separator: ", "), "policy")
      }
      if zone.mode != nil { offer("mode", zone.mode, "enabled, disabled", "mode") }
      for (trip, millis) in zone.trips.sorted(by: { $0.key < $1.key }) {
        offer(
          "trips: \(trip)", "\(Double(millis) / 1000) degC", "a temperature",
          "trip_point_\(trip)_temp")
      }
      return offers
    }
  }
}
