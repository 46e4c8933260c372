import Foundation
import KelvinModel
import Testing

@testable import KelvinMeters

/// Somebody else's library (km003c, the Python package of okhsunrog/km003c-rs) speaks with the simulator, and agrees
/// with the driver about what it sent.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct KM003CThirdPartyOnBenchHost {
  static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
  static let isThere = FileManager.default.fileExists(
    atPath: "\(root)/.build/capture-tools/km003c/__init__.py")

  /// What it read, and the replies that it read it from.
  struct Reading: Decodable {
    var level: Int
    /// As hexadecimal digits.
    var hardware: String
    var replies: [String]
    /// Of each sample: number, V, A, and the four lines in V.
    var samples: [[Double]]
    /// Of each reply with values: V, A, °C, CC1 in V.
    var values: [[Double]]
  }

  /// Runs it: its requests, its keys, its parser; pyusb moves the bytes.
  static func read() throws -> Reading {
    let script = """
      import json, usb.core, usb.util, km003c
      device = usb.core.find(idVendor=km003c.VID, idProduct=km003c.PID)
      usb.util.claim_interface(device, km003c.INTERFACE_VENDOR)
      number = 0
      def send(request):
          device.write(km003c.ENDPOINT_OUT_VENDOR, request, 5000)
          return bytes(device.read(km003c.ENDPOINT_IN_VENDOR, 1024, 5000))
      def tell(kind, word=0):
          global number
          number = (number + 1) % 256
          return send(km003c.create_packet(kind, number, word))
      assert 'Accept' in km003c.parse_packet(tell(km003c.CMD_CONNECT))
      confirmed = send(km003c.build_memory_read_packet(km003c.ADDR_HARDWARE_ID, km003c.HARDWARE_ID_SIZE, 77))
      assert km003c.parse_memory_read_confirmation(confirmed) == (km003c.ADDR_HARDWARE_ID, km003c.HARDWARE_ID_SIZE)
      cipher = bytes(device.read(km003c.ENDPOINT_IN_VENDOR, 1024, 5000))
      hardware = bytes(km003c.decrypt_memory_payload(cipher))[:km003c.HARDWARE_ID_SIZE]
      granted = km003c.parse_streaming_auth_response(send(km003c.build_streaming_auth_packet(hardware, 78)))
      assert 'Accept' in km003c.parse_packet(tell(km003c.CMD_START_GRAPH, km003c.RATE_1000_SPS))
      replies, samples, values = [], [], []
      for turn in range(30):
          mask = km003c.ATT_ADC_QUEUE | (km003c.ATT_ADC if turn % 5 == 4 else 0)
          reply = tell(km003c.CMD_GET_DATA, mask)
          replies.append(reply.hex())
          packet = km003c.parse_packet_with_graph_rate(reply, km003c.RATE_1000_SPS)
          for part in packet['DataResponse']['payloads']:
              if isinstance(part, km003c.AdcQueueData):
                  samples += [[s.sequence, s.vbus_v, s.ibus_a, s.cc1_v, s.cc2_v, s.vdp_v, s.vdm_v]
                              for s in part.samples]
              elif isinstance(part, km003c.AdcData):
                  values.append([part.vbus_v, part.ibus_a, part.temp_c, part.cc1_v])
      assert 'Accept' in km003c.parse_packet(tell(km003c.CMD_STOP_GRAPH))
      assert 'Accept' in km003c.parse_packet(tell(km003c.CMD_DISCONNECT))
      usb.util.dispose_resources(device)
      print(json.dumps({'level': granted['auth_level'], 'hardware': hardware.hex(), 'replies': replies,
                        'samples': samples, 'values': values}))
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PYTHONPATH": "\(root)/.build/capture-tools", "PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(String(decoding: output, as: UTF8.self))")
    let line = output.split(separator: UInt8(ascii: "\n")).last ?? []
    return try JSONDecoder().decode(Reading.self, from: Data(line))
  }

  @Test(.enabled(if: isThere, "needs km003c, scripts/capture-tools"))
  func itAgreesSampleBySample() throws {
    // Its transport waits for a packet that is not full; time goes on with each reply, however slow it is here.
    let gadget = try KM003CGadget("pace=reader,empty")
    let reading = try Self.read()
    #expect(reading.level == 1)
    #expect(KM003CFrames.bytes(reading.hardware) == KM003CFrames.hardware)
    #expect(reading.samples.count == 30 * 40 && reading.values.count == 6)
    #expect(RawGadget.wait { gadget.record.last == "disconnect" })
    // The driver's own code makes of the same replies what it made.
    let options = try KM003COptions(["channels": .list(["bus", "cc", "data"])], of: "m")
    var stream = KM003CStream(.thousand, columns: options.columns)
    var codes = options.columns.map { _ in [Int64]() }
    var values: [[Double]] = []
    for text in reading.replies {
      let reply = KM003CFrames.bytes(text)
      for part in try KM003CReply(reply.span).parts {
        if part.attribute == KM003CParts.queue.rawValue {
          stream.take(reply.span.bytes, part.range, elapsed: 40) { part in
            guard case .samples(_, let run) = part else { return }
            for column in run.indices { codes[column] += run[column] }
          }
        } else if let read = KM003CValues(reply.span.bytes, part.range) {
          values.append([
            Double(read.codes[0]) * 1e-6, Double(read.codes[1]) * 1e-6,
            Double(read.codes[6]) / 128, Double(read.codes[2]) * 1e-4
          ])
        }
      }
    }
    #expect(stream.lost == 0 && stream.samples == 1200)
    for (column, channel) in options.channels.enumerated() {
      let worst = zip(codes[column], reading.samples).map {
        abs(channel.value(of: $0) - $1[column + 1])
      }.max()
      #expect((worst ?? 1) < 1e-9 * 1.0001, "\(channel.name): \(worst as Any)")
    }
    let numbers = reading.samples.map { Int($0[0]) }
    #expect(numbers == (0..<1200).map { (65_000 + $0) & 0xffff })
    for (ours, theirs) in zip(values, reading.values) {
      #expect(zip(ours, theirs).allSatisfy { abs($0 - $1) < 1e-9 }, "\(ours) \(theirs)")
    }
  }
}
