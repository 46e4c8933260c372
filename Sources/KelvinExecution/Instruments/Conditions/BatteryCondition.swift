internal import KelvinConnections
internal import KelvinModel

/// A battery level to be waited for (Documentation/ABI/testing/sysfs-class-power).
struct BatteryChoice: ConditionChoice {
  /// A name in /sys/class/power_supply; nil: the only battery that powers the board.
  var supply: String?
  /// Percent.
  var atLeast: Double?
  var atMost: Double?

  func find(
    on connection: any Connection, after earlier: (any BoardCondition)?, until deadline: Deadline
  ) async throws -> any BoardCondition {
    let root: TargetPath = "/sys/class/power_supply"
    let names = try await connection.entries(of: root, until: deadline)
    let contents = try await connection.read(
      names.flatMap { name in
        ["type", "scope", "capacity"].map { root.appending(name).appending($0) }
      }, until: deadline)
    func text(_ index: Int) -> String {
      (try? contents[index].get()).map { KernelText($0).trimmed } ?? ""
    }
    let batteries = names.indices.filter { index in
      // Scope Device: a mouse's or a keyboard's.
      supply.map { names[index] == $0 } ?? (text(3 * index) == "Battery")
        && (supply != nil || text(3 * index + 1) != "Device")
    }
    guard let battery = batteries.first else {
      throw InstrumentUnavailable(
        supply.map { "\(root): has no '\($0)'" } ?? "\(root): has no battery",
        hint: supply.map { NearestName.hint(for: $0, in: names) } ?? "")
    }
    guard batteries.count == 1 else {
      throw InstrumentUnavailable(
        "\(root): has several batteries: \(batteries.map { names[$0] }.shortList)",
        hint: "name one: 'supply: \(names[battery])'")
    }
    guard Double(text(3 * battery + 2)) != nil else {
      throw InstrumentUnavailable("\(root)/\(names[battery])/capacity: holds no number")
    }
    return BatteryCondition(
      subject: names[battery], paths: [root.appending(names[battery]).appending("capacity")],
      atLeast: atLeast, atMost: atMost)
  }
}

/// A battery is charged between limits.
struct BatteryCondition: BoardCondition {
  let subject: String
  let paths: [TargetPath]
  let atLeast: Double?
  let atMost: Double?
  let window = 0.0
  let metric = (name: "delay_battery", unit: "%")

  var wanted: String {
    [atLeast.map { "at least \($0.tenths) %" }, atMost.map { "at most \($0.tenths) %" }]
      .compactMap(\.self).joined(separator: " and ")
  }

  mutating func judge(
    _ contents: ArraySlice<Result<[UInt8], Errno>>, at time: MonotonicTime
  ) -> ConditionReading {
    switch contents.first {
    case .success(let bytes)?:
      guard let level = KernelText(bytes).integer.map(Double.init) else {
        return ConditionReading(isMet: false, text: "\(paths[0]): not a number")
      }
      let isMet = level >= atLeast ?? 0 && level <= atMost ?? 100
      return ConditionReading(isMet: isMet, value: level, text: "\(level.tenths) %")
    case .failure(let error)?:
      return ConditionReading(isMet: false, text: "\(paths[0]): \(error)")
    case nil: return ConditionReading(isMet: false, text: "not read")
    }
  }
}
