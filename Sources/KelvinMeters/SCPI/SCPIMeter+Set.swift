internal import KelvinModel
internal import Synchronization

extension SCPIMeter {
  /// `voltage` and `current-limit` (numbers or text with a unit) and `output` (boolean) of its only channel,
  /// while it does not measure; undone or left at its end as the rest.
  func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure) {
    guard let channel = options.channels.first, options.channels.count == 1 else {
      throw MeterFailure(.invalid, "\(identity.name): which of its channels?")
    }
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): nothing is set while it measures")
    }
    var wanted = options
    (wanted.voltage, wanted.currentLimit, wanted.overVoltage) = (nil, nil, nil)
    (wanted.overCurrent, wanted.switchesOn) = (nil, false)
    var isOff = false
    for setting in values {
      switch setting.name {
      case "voltage":
        wanted.voltage = try number(setting, .voltage)
        try options.within(
          wanted.voltage, options.maxVoltage, "V", "max-voltage", identity.name)
      case "current-limit":
        wanted.currentLimit = try number(setting, .current)
        try options.within(
          wanted.currentLimit, options.maxCurrent, "A", "max-current", identity.name)
      case "output":
        guard let isOn = setting.value.boolean else { throw unknown(setting) }
        (wanted.switchesOn, isOff) = (isOn, !isOn)
      default: throw unknown(setting)
      }
    }
    let session = try await connected(until: deadline)
    var settings = state.withLock { $0.settings }
    defer {
      let made = settings
      state.withLock { $0.settings = made }
    }
    do throws(MeterFailure) {
      let limit = deadline.limited(toSeconds: 4 * options.patience)
      if isOff {
        try settings.turn(
          profile.output, on: false, "output", channel, session, until: limit)
      }
      try settings.apply(wanted, session, until: limit)
    } catch {
      drop(error)
      throw error
    }
    let (made, isSwitched) = (wanted, wanted.switchesOn || isOff)
    state.withLock {
      // So that what the bench file says does not take it back.
      $0.wanted.voltage = made.voltage ?? $0.wanted.voltage
      $0.wanted.currentLimit = made.currentLimit ?? $0.wanted.currentLimit
      if isSwitched { $0.wanted.switchesOn = made.switchesOn }
    }
  }

  private func number(
    _ setting: MeterSetting, _ dimension: Dimension
  ) throws(MeterFailure) -> Double {
    let stated = setting.value.text.flatMap { StatedQuantity($0, dimension)?.value }
    guard let number = setting.value.number ?? stated, (0...10_000).contains(number) else {
      throw unknown(setting)
    }
    return number
  }

  private func unknown(_ setting: MeterSetting) -> MeterFailure {
    MeterFailure(
      .invalid,
      "\(identity.name): '\(setting.name)' cannot be set to \(setting.value.display)",
      hint: "it takes 'voltage', such as '3.3 V', 'current-limit' and 'output', true or false")
  }
}
