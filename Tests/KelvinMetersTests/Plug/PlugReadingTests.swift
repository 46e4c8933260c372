import KelvinModel
import Testing

@testable import KelvinMeters

/// Answers of plugs as their makers document them, and as a broken one may send them.
struct PlugReadingTests {
  static let tasmota = """
    {"StatusSNS":{"Time":"2026-11-27T10:00:00","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00","Total":11.535,\
    "Yesterday":0.0,"Today":0.002,"Power":36,"ApparentPower":58,"ReactivePower":45,"Factor":0.62,"Voltage":232,\
    "Current":0.249}}}
    """
  static let dual = """
    {"StatusSNS":{"ENERGY":{"Total":1.5,"Power":[4,6],"Voltage":230,"Current":[0.029,0.043]}}}
    """
  static let shelly1 = """
    {"power":10.58,"overpower":0.00,"is_valid":true,"timestamp":1764237600,"counters":[10.6,10.4,10.5],"total":5000}
    """
  static let shelly2 = """
    {"id":0, "source":"init", "output":true, "apower":8.9, "voltage":237.5, "current":0.062, "freq":50.0,\
    "aenergy":{"total":6.532,"by_minute":[45.199,47.141,88.397],"minute_ts":1626935779},"temperature":{"tC":23.5}}
    """

  static func map(_ text: String) -> [String: Value] { Value(json: text)?.map ?? [:] }

  @Test func readsWhatIsDocumented() {
    #expect(
      PlugReading(tasmota: Self.map(Self.tasmota), output: 1)
        == PlugReading(power: 36, voltage: 232, current: 0.249, energy: 11.535 * 3.6e6))
    let second = PlugReading(tasmota: Self.map(Self.dual), output: 2)
    #expect(second?.power == 6 && second?.voltage == 230 && second?.current == 0.043)
    #expect(PlugReading(tasmota: Self.map(Self.dual), output: 3)?.power == nil)
    // Before version 6.
    let old = Self.map(#"{"StatusPWR":{"Total":0.52,"Power":27,"Voltage":234,"Current":0.122}}"#)
    #expect(PlugReading(tasmota: old, output: 1)?.power == 27)
    #expect(
      PlugReading(shelly1: Self.map(Self.shelly1), isEM: false)
        == PlugReading(power: 10.58, energy: 300_000))
    let meter = Self.map(#"{"power":-7.5,"voltage":229.9,"is_valid":true,"total":12.5}"#)
    #expect(
      PlugReading(shelly1: meter, isEM: true)
        == PlugReading(power: -7.5, voltage: 229.9, energy: 45_000))
    #expect(
      PlugReading(shelly2: Self.map(Self.shelly2), id: 0)
        == PlugReading(power: 8.9, voltage: 237.5, current: 0.062, energy: 6.532 * 3600))
  }

  @Test func whatIsNotMeasuredIsNoValue() {
    #expect(
      PlugReading(shelly1: Self.map(#"{"power":5,"is_valid":false}"#), isEM: false)?.isEmpty == true
    )
    let broken = Self.map(#"{"id":0,"apower":5,"errors":["power_meter_failure"]}"#)
    #expect(PlugReading(shelly2: broken, id: 0)?.isEmpty == true)
  }

  @Test func otherAnswersAreRefused() {
    let printer = Self.map(#"{"name":"printer","ready":true}"#)
    #expect(PlugReading(tasmota: printer, output: 1) == nil)
    #expect(PlugReading(shelly1: printer, isEM: false) == nil)
    #expect(PlugReading(shelly2: printer, id: 0) == nil)
    // Another output's.
    #expect(PlugReading(shelly2: Self.map(Self.shelly2), id: 1) == nil)
    // Without a meter.
    #expect(PlugReading(tasmota: Self.map(#"{"StatusSNS":{"Time":"x"}}"#), output: 1) == nil)
    #expect(PlugReading(shelly2: Self.map(#"{"id":0,"output":true}"#), id: 0) == nil)
    let words = Self.map(#"{"StatusSNS":{"ENERGY":{"Power":"36","Total":null}}}"#)
    #expect(PlugReading(tasmota: words, output: 1) == nil)
  }

  @Test(arguments: [tasmota, dual, shelly1, shelly2]) func survivesWhatIsBroken(text: String) {
    let bytes = Array(text.utf8)
    for count in 0..<bytes.count {
      #expect(Value(json: String(decoding: bytes[..<count], as: UTF8.self)) == nil)
    }
    for index in bytes.indices {
      for value: UInt8 in [0, 34, 44, 45, 57, 91, 123, 0xff] {
        var damaged = bytes
        damaged[index] = value
        let map = Self.map(String(decoding: damaged, as: UTF8.self))
        for reading in [
          PlugReading(tasmota: map, output: 1), PlugReading(shelly1: map, isEM: false),
          PlugReading(shelly2: map, id: 0)
        ] {
          #expect(reading.map { ($0.power ?? 0).isFinite } ?? true)
        }
      }
    }
  }
}
