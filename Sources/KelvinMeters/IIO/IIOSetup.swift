internal import KelvinModel
internal import KelvinSystem

/// Brings a device's attributes to what a capture needs, and puts them back afterwards, the last change
/// first. Used by one thread at a time.
struct IIOSetup: Sendable {
  /// What it was before.
  private struct Change: Sendable {
    var attribute: IIOAttribute
    var original: String
  }

  /// By which they are put back may be another connection than that by which they were set.
  var attributes: any IIOAttributes
  private var changes: [Change] = []
  /// An INA2xx's `in_allow_async_readout`, for as long as it is 0.
  private var asyncReadout: IIOAttribute?

  init(_ attributes: any IIOAttributes) { self.attributes = attributes }

  var hasChanges: Bool { !changes.isEmpty }

  /// Writes a value if the attribute has another; what it had before is remembered.
  ///
  /// - Returns: what it has now.
  @discardableResult
  mutating func set(
    _ attribute: IIOAttribute, _ value: String, until deadline: Deadline
  ) throws(MeterFailure) -> String {
    let original = try attributes.read(attribute, until: deadline)
    if IIOSetup.isSame(original, value) { return original }
    // First remembered: a write that fails half way, or whose answer is lost, may have had its effect.
    changes.append(Change(attribute: attribute, original: original))
    do throws(MeterFailure) {
      try attributes.write(value, to: attribute, until: deadline)
    } catch {
      // What was refused has changed nothing.
      if [.permission, .invalid, .notFound, .busy].contains(error.code) { changes.removeLast() }
      throw error
    }
    return try attributes.read(attribute, until: deadline)
  }

  /// Sets a number.
  ///
  /// - Throws: `invalid` when the device takes another for it, by more than a tenth; a list of those that
  ///   it takes is in the hint.
  @discardableResult
  mutating func set(
    _ attribute: IIOAttribute, number: Double, until deadline: Deadline
  ) throws(MeterFailure) -> Double {
    let text = IIOSetup.text(number)
    let now: String
    do throws(MeterFailure) {
      now = try set(attribute, text, until: deadline)
    } catch {
      throw error.code == .invalid
        ? MeterFailure(.invalid, error.message, hint: values(of: attribute, until: deadline))
        : error
    }
    guard let value = Double(now.prefix { $0 != " " }) else {
      throw MeterFailure(.malfunction, "\(attribute.description): '\(now)' is no number")
    }
    guard abs(value - number) <= 0.1 * abs(number) else {
      throw MeterFailure(
        .invalid, "\(attribute.description): '\(text)' was asked for, and it is '\(now)'",
        hint: values(of: attribute, until: deadline))
    }
    return value
  }

  private func values(of attribute: IIOAttribute, until deadline: Deadline) -> String {
    var list = attribute
    list.name += "_available"
    guard let values = try? attributes.read(list, until: deadline), !values.isEmpty else {
      return ""
    }
    return "it takes \(values)"
  }

  /// Makes an INA2xx wait for its conversion-ready flag, or not.
  private mutating func setAsyncReadout(
    _ attribute: IIOAttribute, _ isOn: Bool, until deadline: Deadline
  ) throws(MeterFailure) {
    try set(attribute, isOn ? "1" : "0", until: deadline)
    guard !isOn else { return }
    asyncReadout = attribute
    // It was so before: written at the end all the same, since it is 1 for a moment then.
    if !changes.contains(where: { $0.attribute == attribute }) {
      changes.append(Change(attribute: attribute, original: "0"))
    }
  }

  /// Puts back what was changed.
  ///
  /// While an INA2xx waits for its flag, the kernel's thread hears no stop (ina2xx-adc.c,
  /// ina2xx_capture_thread): where the flag never comes, whoever disables the buffer would hang for
  /// ever. So it is told first not to wait.
  ///
  /// - Returns: what could not be put back, each with what it should be and why.
  mutating func restore(until deadline: Deadline) -> [String] {
    var left: [String] = []
    if let asyncReadout { try? attributes.write("1", to: asyncReadout, until: deadline) }
    asyncReadout = nil
    for change in changes.reversed() {
      do throws(MeterFailure) {
        // An empty trigger is written as an empty line: nothing at all is no write(2).
        let value = change.original.isEmpty ? "\n" : change.original
        try putBack(value, to: change.attribute, until: deadline.limited(toSeconds: 5))
      } catch {
        left.append("\(change.attribute.description) was '\(change.original)': \(error.message)")
      }
    }
    changes = []
    return left
  }

  /// An iiod disables its buffer a while after the connection for samples has ended; until then the
  /// kernel keeps some attributes busy.
  private func putBack(
    _ value: String, to attribute: IIOAttribute, until deadline: Deadline
  ) throws(MeterFailure) {
    while true {
      do throws(MeterFailure) {
        return try attributes.write(value, to: attribute, until: deadline)
      } catch {
        guard error.code == .busy else { throw error }
        guard deadline.limited(toSeconds: 0.02).wait() == .passed, !deadline.hasPassed else {
          throw error
        }
      }
    }
  }

  /// Numbers are compared as numbers: `0.010000000` is what `0.01` was written as.
  private static func isSame(_ first: String, _ second: String) -> Bool {
    if first == second { return true }
    guard let first = Double(first), let second = Double(second) else { return false }
    return first == second
  }

  /// A decimal number as the kernel reads it: no exponent, at most 9 places.
  static func text(_ number: Double) -> String {
    if number == number.rounded(), abs(number) < 1e15 { return "\(Int64(number))" }
    let whole = number.rounded(.towardZero)
    var part = Int64(((abs(number - whole)) * 1e9).rounded())
    var up = Int64(abs(whole))
    if part == 1_000_000_000 { (part, up) = (0, up + 1) }
    var digits = "\(part)"
    digits = String(repeating: "0", count: 9 - digits.count) + digits
    while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
    return "\(number < 0 ? "-" : "")\(up).\(digits)"
  }
}

extension IIOSetup {
  /// What the options ask for, apart from triggers and the buffer.
  ///
  /// - Throws: `unsupported` for what the device does not have.
  mutating func apply(_ selection: IIOSelection, until deadline: Deadline) throws(MeterFailure) {
    let (device, options) = (selection.device, selection.options)
    if let shunt = options.shunt {
      try set(
        number: shunt, "shunt", ["in_shunt_resistor"], ["shunt_resistor"], selection, deadline)
    }
    if let time = options.integrationTime {
      try set(
        number: time, "integration-time", ["in_integration_time", "integration_time"],
        ["integration_time"], selection, deadline)
    }
    if let count = options.oversampling {
      try set(
        number: Double(count), "oversampling", ["in_oversampling_ratio", "oversampling_ratio"],
        ["oversampling_ratio"], selection, deadline)
    }
    if device.attributes.contains("in_allow_async_readout") {
      try setAsyncReadout(
        IIOAttribute(device.id, "in_allow_async_readout"), options.readsAsynchronously,
        until: deadline)
    } else if options.readsAsynchronously {
      throw MeterFailure(.unsupported, "\(device.title): has no 'in_allow_async_readout'")
    }
  }

  /// Sets the device's own rate.
  ///
  /// - Throws: `unsupported` when it has none that can be set.
  mutating func setRate(
    _ rate: Double, _ selection: IIOSelection, until deadline: Deadline
  ) throws(MeterFailure) {
    do throws(MeterFailure) {
      try set(
        number: rate, "rate", ["sampling_frequency", "in_sampling_frequency"],
        ["sampling_frequency"], selection, deadline)
    } catch {
      // An INA2xx's rate follows from its times and its averaging.
      guard error.code != .unsupported, selection.device.isShuntMonitor else { throw error }
      throw MeterFailure(
        .unsupported, "\(selection.device.title): its rate cannot be set",
        evidence: error.message,
        hint: "it follows from 'integration-time' and 'oversampling'")
    }
  }

  /// Sets one of the device's attributes, or else one of each chosen channel that has it.
  private mutating func set(
    number: Double, _ option: String, _ ofDevice: [String], _ ofChannel: [String],
    _ selection: IIOSelection, _ deadline: Deadline
  ) throws(MeterFailure) {
    let device = selection.device
    if let name = ofDevice.first(where: device.attributes.contains) {
      try set(IIOAttribute(device.id, name), number: number, until: deadline)
      return
    }
    var isFound = false
    for channel in selection.chosen {
      for name in ofChannel where channel.attributes[name] != nil {
        try set(IIOAttribute(device.id, channel, name), number: number, until: deadline)
        isFound = true
      }
    }
    guard isFound else {
      throw MeterFailure(
        .unsupported, "\(device.title): '\(option)' cannot be set: it has no such attribute")
    }
  }
}
