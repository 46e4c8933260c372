internal import ArgumentParser
internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel

/// `curr1 > 10 mA`.
struct TriggerText: Sendable {
  let channel: String
  let isAbove: Bool
  let quantity: Quantity

  init(_ text: String) throws {
    guard let sign = text.firstIndex(where: { $0 == ">" || $0 == "<" }),
      let quantity = Quantity(String(text[text.index(after: sign)...])), quantity.unit != nil
    else {
      throw ValidationError("--trigger: expected 'CHANNEL > VALUE' such as 'curr1 > 10 mA'")
    }
    channel = String(text[..<sign].trimmingASCIIWhitespace)
    isAbove = text[sign] == ">"
    self.quantity = quantity
  }

  /// - Throws: when the meter has no such channel, or it is in another unit.
  func trigger(of meter: any Meter, before: Double) throws(MeterFailure) -> CaptureRecorder.Trigger
  {
    guard let index = meter.channels.firstIndex(where: { $0.name == channel }) else {
      throw MeterFailure(
        .invalid, "\(meter.identity.name): it has no channel '\(channel)'",
        hint: "it has " + meter.channels.map(\.name).joined(separator: ", "))
    }
    let unit = Unit(symbol: meter.channels[index].unit)
    guard let unit, unit.dimension == quantity.unit?.dimension else {
      throw MeterFailure(
        .invalid, "\(meter.identity.name): channel \(channel) is in \(meter.channels[index].unit)")
    }
    return CaptureRecorder.Trigger(
      channel: index, isAbove: isAbove, value: quantity.value / unit.factor,
      before: Int64(before * 1e9))
  }
}
