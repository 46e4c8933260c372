internal import Foundation
internal import Glibc
internal import KelvinModel
internal import Synchronization

/// A board with INA226 chips as the kernel's ina2xx-adc shows them, and what they measure.
///
/// What is true at a time is a function of that time alone: a current that swings around half an ampere
/// and has steps, from a supply with some resistance.
package final class IIODBoard: Sendable {
  /// Samples a second of each chip.
  package let rate: Double
  /// What the board's clock says more than this machine's, and by how much it runs faster.
  let clockOffset: Int64
  let clockSkew: Double
  private let probes: Int
  /// Values of attributes: `iio:device0 in_shunt_resistor`, `iio:device0 voltage1 scale`.
  private let values: Mutex<[String: String]>
  private let begin = MonotonicTime.now.nanoseconds

  package init(
    rate: Double = 1000, probes: Int = 2, clockOffset: Int64 = 0, clockSkew: Double = 0
  ) {
    self.rate = rate
    self.probes = probes
    self.clockOffset = clockOffset
    self.clockSkew = clockSkew
    var values: [String: String] = [:]
    for probe in 0..<probes {
      let device = "iio:device\(probe)"
      values["\(device) in_oversampling_ratio"] = "4"
      values["\(device) in_sampling_frequency"] = "\(Int(rate))"
      values["\(device) in_allow_async_readout"] = "0"
      values["\(device) in_shunt_resistor"] = "0.010000000"
      values["\(device) current_timestamp_clock"] = "realtime"
      values["\(device) voltage0 integration_time"] = "0.001100"
      values["\(device) voltage1 integration_time"] = "0.001100"
    }
    self.values = Mutex(values)
  }

  // MARK: what is true

  /// In amperes and volts, at a time of the board's clock in nanoseconds.
  package static func truth(at time: Int64) -> (current: Double, voltage: Double) {
    let seconds = Double(time % 1_000_000_000_000) / 1e9
    let step = seconds.truncatingRemainder(dividingBy: 0.25) < 0.05 ? 0.2 : 0
    let current = 0.5 + 0.3 * sin(2 * .pi * 1.7 * seconds) + step
    return (current, 5.0 - 0.1 * current)
  }

  /// The board's clock.
  package var now: Int64 { boardTime(MonotonicTime.now.nanoseconds) }

  func boardTime(_ host: Int64) -> Int64 {
    host &+ clockOffset &+ Int64(Double(host &- begin) * clockSkew)
  }

  /// In ohms.
  func shunt(_ device: String) -> Double {
    values.withLock { Double($0["\(device) in_shunt_resistor"] ?? "") ?? 0.01 }
  }

  /// The registers: shunt voltage, bus voltage, power, current, as the chip rounds them.
  func codes(_ device: String, at time: Int64) -> [Int] {
    let (current, voltage) = Self.truth(at: time)
    let shunt = shunt(device)
    let small = Int((current * shunt / 2.5e-6).rounded())
    return [
      small, Int((voltage / 1.25e-3).rounded()),
      Int((current * voltage * shunt / (25 * 2.5e-6)).rounded()), small
    ]
  }

  // MARK: attributes

  var devices: [String] { (0..<probes).map { "iio:device\($0)" } }

  /// A value, as the file has it; nil where there is none.
  package func value(_ words: [String]) -> String? {
    guard words.count > 1 else { return nil }
    let words = Self.place(words)
    if let value = values.withLock({ $0[words.joined(separator: " ")] }) { return value }
    let scale = 0.0025 / shunt(words[0])
    switch words.dropFirst().joined(separator: " ") {
    case "name": return "ina226"
    case "voltage0 scale": return "0.002500"
    case "voltage1 scale": return "1.250000000"
    case "power2 scale": return decimal(25 * scale)
    case "current3 scale": return decimal(scale)
    case "voltage0 raw": return "\(codes(words[0], at: now)[0])"
    case "voltage1 raw": return "\(codes(words[0], at: now)[1])"
    case "power2 raw": return "\(codes(words[0], at: now)[2])"
    case "current3 raw": return "\(codes(words[0], at: now)[3])"
    default: return nil
    }
  }

  /// Writes one. Returns a negative errno when that cannot be.
  func set(_ words: [String], _ value: String) -> Int {
    let words = Self.place(words)
    let key = words.joined(separator: " ")
    guard self.value(words) != nil else { return -Int(ENOENT) }
    let name = words.last ?? ""
    switch name {
    case "in_shunt_resistor":
      guard let ohms = Double(value), ohms > 0 else { return -Int(EINVAL) }
      values.withLock { $0[key] = decimal(ohms) }
    case "in_oversampling_ratio":
      guard ["1", "4", "16", "64"].contains(value) else { return -Int(EINVAL) }
      values.withLock { $0[key] = value }
    case "in_allow_async_readout", "current_timestamp_clock", "integration_time":
      values.withLock { $0[key] = value }
    default: return -Int(EACCES)
    }
    return value.utf8.count + 1
  }

  private func decimal(_ number: Double) -> String { String(format: "%.9f", number) }

  private static let ofDevice = [
    "in_allow_async_readout", "in_oversampling_ratio", "in_sampling_frequency",
    "in_shunt_resistor"
  ]

  /// Where an attribute stands, whichever way it was called.
  private static func place(_ words: [String]) -> [String] {
    let file = "in_" + words.dropFirst().joined(separator: "_")
    return ofDevice.contains(file) ? [words[0], file] : words
  }

  // MARK: the description

  /// As libiio's `xml.c` writes it.
  var description: String {
    var text = """
      <?xml version="1.0" encoding="utf-8"?><!DOCTYPE context [<!ELEMENT context (device | \
      context-attribute)*><!ELEMENT context-attribute EMPTY><!ELEMENT device (channel | attribute | \
      debug-attribute | buffer-attribute)*><!ELEMENT channel (scan-element?, attribute*)><!ELEMENT \
      attribute EMPTY><!ELEMENT scan-element EMPTY><!ELEMENT debug-attribute EMPTY><!ELEMENT \
      buffer-attribute EMPTY><!ATTLIST context name CDATA #REQUIRED description CDATA \
      #IMPLIED><!ATTLIST context-attribute name CDATA #REQUIRED value CDATA #REQUIRED><!ATTLIST device \
      id CDATA #REQUIRED name CDATA #IMPLIED label CDATA #IMPLIED><!ATTLIST channel id CDATA #REQUIRED \
      type (input|output) #REQUIRED name CDATA #IMPLIED><!ATTLIST scan-element index CDATA #REQUIRED \
      format CDATA #REQUIRED scale CDATA #IMPLIED><!ATTLIST attribute name CDATA #REQUIRED filename \
      CDATA #IMPLIED><!ATTLIST debug-attribute name CDATA #REQUIRED><!ATTLIST buffer-attribute name \
      CDATA #REQUIRED>]><context name="network" description="127.0.0.1 Linux simulated &lt;acme&gt;" >\
      <context-attribute name="local,kernel" value="5.10" />
      """
    for (number, device) in devices.enumerated() {
      text += "<device id=\"\(device)\" name=\"ina226\" label=\"probe\(number + 1)\" >"
      for (index, channel) in ["voltage0", "voltage1", "power2", "current3"].enumerated() {
        // The kernel's ina2xx-adc says so of all of them, whatever their sign.
        let format = "le:U16/16&gt;&gt;0"
        text += "<channel id=\"\(channel)\" type=\"input\" ><scan-element index=\"\(index)\" "
        text += "format=\"\(format)\" scale=\"\(value([device, channel, "scale"]) ?? "")\" />"
        for name in ["raw", "scale"] + (index < 2 ? ["integration_time"] : []) {
          text += "<attribute name=\"\(name)\" filename=\"in_\(channel)_\(name)\" />"
        }
        text += "</channel>"
      }
      text += "<channel id=\"timestamp\" type=\"input\" ><scan-element index=\"4\" "
      text += "format=\"le:S64/64&gt;&gt;0\" /></channel>"
      // libiio 0.24 takes the first word of a file for a channel; older ones know whose it is.
      for name in Self.ofDevice {
        let words = name.split(separator: "_", maxSplits: 2)
        text +=
          number == 0
          ? "<channel id=\"\(words[1])\" type=\"input\" ><attribute name=\"\(words[2])\" "
            + "filename=\"\(name)\" /></channel>" : "<attribute name=\"\(name)\" />"
      }
      text += "<attribute name=\"current_timestamp_clock\" />"
      text += "<buffer-attribute name=\"data_available\" /></device>"
    }
    return text + "</context>"
  }
}
