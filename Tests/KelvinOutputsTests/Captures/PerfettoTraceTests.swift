import KelvinModel
import Testing

@testable import KelvinOutputs

struct PerfettoTraceTests {
  /// Reads a trace with perfetto's own definitions; prints packets as JSON lines.
  private static let dump = """
    import sys
    from google.protobuf.unknown_fields import UnknownFieldSet
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace
    trace = Trace()
    trace.ParseFromString(open("trace", "rb").read())
    # Whatever perfetto does not know, it keeps aside.
    def check(message):
      assert len(UnknownFieldSet(message)) == 0, (type(message), message)
      for field, value in message.ListFields():
        if field.message_type:
          for part in (value if isinstance(value, (list, tuple)) or hasattr(value, "add") else [value]): check(part)
    check(trace)
    print("known", len(trace.SerializeToString()))
    tracks = {}
    stack = []
    for packet in trace.packet:
      assert packet.trusted_packet_sequence_id == 1
      if packet.HasField("clock_snapshot"):
        for clock in packet.clock_snapshot.clocks: print("clock", clock.clock_id, clock.timestamp)
        print("primary", packet.clock_snapshot.primary_trace_clock)
      if packet.HasField("trace_packet_defaults"):
        print("default clock", packet.trace_packet_defaults.timestamp_clock_id)
      if packet.HasField("track_descriptor"):
        t = packet.track_descriptor
        tracks[t.uuid] = t.name
        if t.HasField("counter"): print("counter track", t.name, t.counter.unit_name)
      if packet.HasField("track_event"):
        e = packet.track_event
        kind = {1: "begin", 2: "end", 3: "instant", 4: "value"}[e.type]
        text = repr(e.double_counter_value) if e.type == 4 else e.name
        print(kind, tracks[e.track_uuid], packet.timestamp, text)
      if packet.HasField("power_rails"):
        for rail in packet.power_rails.rail_descriptor: print("rail", rail.index, rail.rail_name)
        for d in packet.power_rails.energy_data: print("energy", d.index, d.timestamp_ms, d.energy)
    """

  private static let python = JudgingPython(
    module: "perfetto.protos.perfetto.trace.perfetto_trace_pb2")

  private func dump(_ source: CaptureSource) throws -> [String] {
    let python = try #require(Self.python)
    let directory = TemporaryDirectory()
    let file = try ExportFile(path: directory("trace"))
    _ = try PerfettoTrace.write(source, to: file)
    try file.commit()
    let lines = python.run(Self.dump, in: directory).split(separator: "\n").map(String.init)
    // Written again by Perfetto's own library, it has the same length: nothing was left out.
    #expect(
      lines.contains("known \(readBytes(directory("trace")).count)"), "\(lines.suffix(5))")
    return lines
  }

  @Test(.enabled(if: python != nil, "needs perfetto's definitions, scripts/capture-tools"))
  func isReadByPerfettosOwnDefinitions() throws {
    var capture = Sample.regular(count: 300, rate: 100, lost: 10)
    capture.events.append(
      CaptureEvent(.mark, from: capture.clock.origin, to: capture.clock.origin, note: "phase 1"))
    var source = CaptureSource(capture)
    let from = capture.clock.origin
    source.spans = [
      CaptureSpan(name: "run", depth: 1, from: from + 10, to: from + 90),
      CaptureSpan(name: "1 openssl", depth: 0, from: from, to: from + 100),
      CaptureSpan(name: "extract", depth: 1, from: from + 90, to: from + 100)
    ]
    let lines = try dump(source)
    #expect(lines.contains("clock 1 \(Sample.reference.wall)"), "\(lines.prefix(20))")
    #expect(lines.contains("clock 3 \(Sample.reference.monotonic)"))
    #expect(lines.contains("clock 6 \(Sample.reference.boottime)"))
    #expect(lines.contains("primary 6"))
    #expect(lines.contains("default clock 3"))
    #expect(lines.contains("counter track vdd.power W"))
    // Nested slices begin outer first and end inner first.
    #expect(
      lines.filter { $0.contains("Kelvin: jobs") }.map { $0.trimmingTrailingSpace } == [
        "begin Kelvin: jobs \(from) 1 openssl", "begin Kelvin: jobs \(from + 10) run",
        "end Kelvin: jobs \(from + 90)", "begin Kelvin: jobs \(from + 90) extract",
        "end Kelvin: jobs \(from + 100)", "end Kelvin: jobs \(from + 100)"
      ])
    #expect(lines.contains { $0.hasPrefix("instant Kelvin: mark ") && $0.hasSuffix("phase 1") })
    #expect(lines.contains { $0.hasPrefix("begin Kelvin: gap, vdd.power ") })
    for index in capture.channels.indices {
      let (times, values, _) = capture.samples(index)
      let name = capture.channels[index].name
      let expected = zip(times, values).map { "value \(name) \(capture.clock.host($0)) \($1)" }
      let found = lines.filter { $0.hasPrefix("value \(name) ") }
      #expect(found.count == expected.count)
      for (line, text) in zip(found, expected) {
        let (a, b) = (line.split(separator: " "), text.split(separator: " "))
        #expect(a[2] == b[2])
        #expect(Double(a[3]) == Double(b[3]))
      }
    }
    // The rail's last figure is the energy outside the gap.
    #expect(lines.contains("rail 0 vdd.power"))
    let last = try #require(lines.last { $0.hasPrefix("energy 0 ") })
    let joules = (Double(last.split(separator: " ")[3]) ?? 0) / 1e6
    #expect(abs(joules - Sample.joules(capture, channel: 2)) < 1e-5)
  }

  @Test(.enabled(if: python != nil, "needs perfetto's definitions, scripts/capture-tools"))
  func reducesFastChannelsToLeastMeanAndGreatestAndSaysSo() throws {
    let capture = Sample.regular(
      count: 20_000, rate: 100_000, channels: [Sample.channels[1]],
      start: 2_000 * Sample.second)
    let file = ExportFile()
    let notes = try PerfettoTrace.write(CaptureSource(capture), to: file)
    #expect(notes.count == 1)
    #expect(notes[0].contains("100000 samples a second"))
    let lines = try dump(CaptureSource(capture))
    let values = capture.samples(0).values
    for (name, expected) in [("min", values.min()), ("max", values.max())] {
      let found = lines.filter { $0.hasPrefix("value vdd.current \(name) ") }.compactMap {
        $0.split(separator: " ").last.flatMap { Double($0) }
      }
      // 0.2 s, of which the skewed clock may split a millisecond.
      #expect((200...201).contains(found.count))
      #expect((name == "min" ? found.min() : found.max()) == expected)
    }
  }

  @Test func encodesNumbersAsProtobufDoes() {
    var message = ProtobufMessage()
    message.add(1, 150)
    message.add(2, "testing")
    message.group(3) { $0.add(1, 150) }
    message.add(4, double: 1.5)
    // The first three are the examples of protobuf's encoding guide.
    #expect(
      message.bytes == [
        0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67, 0x1A, 0x03, 0x08,
        0x96, 0x01, 0x21, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F
      ])
  }
}

extension String {
  fileprivate var trimmingTrailingSpace: String {
    hasSuffix(" ") ? String(dropLast()) : self
  }
}
