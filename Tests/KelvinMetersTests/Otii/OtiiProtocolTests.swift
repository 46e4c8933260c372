import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Lines of Otii's server, without a wire: as its client documents them, and as a broken one may send them.
struct OtiiProtocolTests {
  static let analog = """
    {"type":"response","cmd":"recording_get_channel_data","trans_id":"7","data":{"data_type":"analog",\
    "timestamp":3.250,"interval":0.00025,"values":[0.002453, 0.002675,-0.001945,2.444e-3]}}
    """
  static let digital = """
    {"type":"response","trans_id":"8","data":{"data_type":"digital","values":[{"timestamp":0.001,"value":true},\
    {"timestamp":2.132,"value":false}]}}
    """
  static let lines = [
    analog, digital,
    """
    {"type":"information","info":"connected","data":{"otii_version":"3.5.5","protocol_version":"0.1"}}
    """,
    """
    {"type":"error","errorcode":"Invalid key value","cmd":"arc_set_main_voltage","trans_id":"9",\
    "data":{"key":"value","value":99}}
    """, #"{"type":"progress","cmd":"x","trans_id":"1","progress_value":0.5}"#
  ]

  static func piece(_ text: String) -> OtiiPiece? {
    let line = Array(text.utf8)
    let taken = OtiiNumbers.extract(line)
    guard case .response(_, let data)? = OtiiMessage(taken?.rest ?? line) else { return nil }
    return OtiiPiece(data, numbers: taken?.numbers, scale: 1e-10)
  }

  @Test func readsSamples() {
    #expect(
      Self.piece(Self.analog)?.values
        == .analog(
          first: 3_250_000_000, interval: 250_000,
          [24_530_000, 26_750_000, -19_450_000, 24_440_000]))
    #expect(
      Self.piece(Self.digital)?.values
        == .digital([
          .init(time: 1_000_000, isHigh: true), .init(time: 2_132_000_000, isHigh: false)
        ]))
    // No samples yet, and none of a digital input.
    let empty = #"{"type":"response","trans_id":"1","data":{"data_type":"analog","values":[ ]}}"#
    #expect(Self.piece(empty)?.values == .analog(first: 0, interval: 0, []))
    let quiet = #"{"type":"response","trans_id":"1","data":{"data_type":"digital","values":[]}}"#
    #expect(Self.piece(quiet)?.values == .digital([]))
    let none = """
      {"type":"response","trans_id":"1","data":{"timestamp":0,"interval":1,"values":[1,null,NaN]}}
      """
    #expect(
      Self.piece(none)?.values
        == .analog(first: 0, interval: 1e9, [10_000_000_000, .min, .min]))
  }

  /// What a device is called must not be taken for a list of numbers.
  @Test func namesAreNoNumbers() throws {
    let text = #"{"type":"response","trans_id":"1","data":{"name":"\"values\":[1,2]"}}"#
    #expect(OtiiNumbers.extract(Array(text.utf8)) == nil)
    guard case .response(_, let data)? = OtiiMessage(text.utf8) else {
      Issue.record("no response")
      return
    }
    #expect(data["name"] == #""values":[1,2]"#)
  }

  @Test(arguments: lines) func survivesEachTruncation(text: String) {
    let bytes = Array(text.utf8)
    #expect(OtiiMessage(bytes) != nil)
    for count in 0..<bytes.count {
      let line = Array(bytes[..<count])
      let rest = OtiiNumbers.extract(line)?.rest ?? line
      #expect(OtiiMessage(rest) == nil, "\(count)")
    }
  }

  @Test(arguments: [analog, digital]) func survivesCorruptionOfEachByte(text: String) {
    let bytes = Array(text.utf8)
    var refused = 0
    for index in bytes.indices {
      for value: UInt8 in [0, 10, 34, 44, 45, 48, 91, 93, 0x7f, 0xff] {
        var damaged = bytes
        damaged[index] = value
        let piece = Self.piece(String(decoding: damaged, as: UTF8.self))
        if piece == nil { refused += 1 }
        if case .analog(_, let interval, let codes)? = piece?.values {
          #expect(codes.count <= 8 && interval > 0 && interval < 1e15)
        }
      }
    }
    #expect(refused > bytes.count)
  }

  @Test func refusesHostileTimes() {
    for (stamp, interval) in [
      ("1e300", "1"), ("0", "0"), ("0", "-1"), ("0", "1e300"), ("\"0\"", "1"), ("0", "null")
    ] {
      let text = """
        {"type":"response","trans_id":"1","data":{"timestamp":\(stamp),"interval":\(interval),"values":[1]}}
        """
      #expect(Self.piece(text) == nil, "\(stamp) \(interval)")
    }
    // Numbers that no code holds are none.
    let great = """
      {"type":"response","trans_id":"1","data":{"timestamp":0,"interval":1,"values":[1e200,1]}}
      """
    #expect(Self.piece(great)?.values == .analog(first: 0, interval: 1e9, [.min, 10_000_000_000]))
  }

  @Test func randomBytesAreNoMessages() {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<2000 {
      let line = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
        UInt8.random(in: .min ... .max, using: &generator)
      }
      #expect(OtiiMessage(OtiiNumbers.extract(line)?.rest ?? line) == nil)
    }
  }

  @Test func writesRequestsAsTheServerReadsThem() {
    let bytes = OtiiMessage.request("arc_set_main", ["device_id": "A\"b", "enable": true], id: "3")
    #expect(
      String(decoding: bytes, as: UTF8.self) == """
        {"cmd":"arc_set_main","data":{"device_id":"A\\"b","enable":true},"trans_id":"3","type":"request"}\r\n
        """)
  }

  @Test func choosesALicense() throws {
    func license(
      _ number: Int64, _ type: String, _ holder: String, _ free: Bool
    ) throws
      -> OtiiLicense
    {
      try #require(
        OtiiLicense([
          "id": .integer(number), "type": .text(type), "available": .boolean(free),
          "reserved_to": .text(holder), "hostname": "desk"
        ]))
    }
    let pro = try license(1, "Pro", "", true)
    let taken = try license(2, "Automation", "joe", false)
    let free = try license(3, "Enterprise", "", true)
    let held = try license(4, "Automation", "me", true)
    #expect(OtiiLicense.choose([pro, taken, free]) == .reserve(free))
    #expect(OtiiLicense.choose([free, held]) == .held)
    #expect(OtiiLicense.choose([pro, taken]) == .none(holders: ["joe at desk"]))
    #expect(OtiiLicense.choose([pro]) == .none(holders: []))
    #expect(OtiiLicense(["id": "1"]) == nil)
  }

  /// An edge lies between the last sample of the old level and the first of the new one.
  @Test func edgesLieBetweenTwoSamples() {
    var line = OtiiLine(channel: 2)
    line.hold(until: 5)
    #expect(line.hand() == nil)
    line.change(to: false, at: 0, step: 10)
    line.hold(until: 100)
    line.change(to: true, at: 250, step: 10)
    line.change(to: true, at: 260, step: 10)
    line.hold(until: 300)
    #expect(
      line.hand()
        == SampleBlock(
          channel: 2, times: [0, 100, 240, 250, 260, 300], codes: [0, 0, 0, 1, 1, 1]))
    // One that comes too late is not put before what was given out.
    line.change(to: false, at: 200, step: 10)
    #expect(line.late == 1)
    #expect(line.hand() == SampleBlock(channel: 2, times: [301, 302], codes: [1, 0]))
  }

  @Test func theClockTellsOfLossesWithoutStamps() {
    var lateness = OtiiLateness()
    var missing: [Int64] = []
    var shift: Int64 = 0
    for round in 0..<200 {
      let host = Int64(round) * 100_000_000
      // Delays that come and go, of which none is a loss; a second is lost at 7 s.
      let delay: Int64 = round % 7 == 0 ? 0 : 200_000_000
      let lost: Int64 = round >= 70 ? 1_000_000_000 : 0
      if let found = lateness.observe(meter: host - delay - lost + shift, host: host) {
        missing.append(found)
        shift += max(0, found)
      }
    }
    #expect(missing == [1_000_000_000])
  }
}
