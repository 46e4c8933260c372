internal import KelvinModel

/// Captures as a Perfetto trace, for ui.perfetto.dev and trace_processor.
///
/// Each channel becomes a counter track; one with more than 1,000 samples a second becomes three, of
/// the least, mean and greatest value of each millisecond, since Perfetto needs about 25 bytes a value.
/// Jobs and stages become nested slices, what happened in the capture slices and instants on tracks of
/// their own, and power and energy channels power rails in microwatt-seconds. Times are of
/// CLOCK_MONOTONIC, tied to BOOTTIME and REALTIME by a clock snapshot.
///
/// Field numbers: google/perfetto, protos/perfetto/trace (docs/captures.md).
public enum PerfettoTrace {
  /// Writes a trace.
  ///
  /// - Returns: what the trace does not hold of the capture, for a person.
  /// - Throws: what the source's walk throws, or ``OutputFailure``.
  public static func write(_ source: CaptureSource, to file: ExportFile) throws -> [String] {
    var writer = PerfettoWriter(source: source, file: file)
    try writer.begin()
    try writer.spans()
    try writer.events()
    for channel in source.channels.indices { try writer.counters(channel) }
    try writer.rails()
    return writer.notes
  }
}

struct PerfettoWriter {
  let source: CaptureSource
  let file: ExportFile
  var notes: [String] = []
  private var lastTrack: UInt64 = 0

  /// What fields are called in trace_packet.proto and what it includes.
  enum Field {
    static let packet: UInt64 = 1
    static let timestamp: UInt64 = 8
    static let timestampClock: UInt64 = 58
    static let sequence: UInt64 = 10
    static let sequenceFlags: UInt64 = 13
    static let defaults: UInt64 = 59
    static let clockSnapshot: UInt64 = 6
    static let trackEvent: UInt64 = 11
    static let trackDescriptor: UInt64 = 60
    static let powerRails: UInt64 = 40
  }

  /// builtin_clock.proto
  private enum Clock {
    static let realtime: UInt64 = 1
    static let monotonic: UInt64 = 3
    static let boottime: UInt64 = 6
  }

  init(source: CaptureSource, file: ExportFile) {
    self.source = source
    self.file = file
  }

  // MARK: - Packets

  /// Writes a packet of our sequence, whose timestamps are of CLOCK_MONOTONIC by its defaults.
  func packet(at time: Int64? = nil, _ build: (inout ProtobufMessage) -> Void) throws {
    var packet = ProtobufMessage()
    if let time { packet.add(Field.timestamp, UInt64(max(0, time))) }
    packet.add(Field.sequence, 1)
    // SEQ_NEEDS_INCREMENTAL_STATE
    packet.add(Field.sequenceFlags, 2)
    build(&packet)
    var trace = ProtobufMessage()
    trace.add(Field.packet, packet)
    try file.write(trace.bytes)
  }

  func begin() throws {
    var first = ProtobufMessage()
    first.add(Field.sequence, 1)
    // SEQ_INCREMENTAL_STATE_CLEARED
    first.add(Field.sequenceFlags, 1)
    first.group(Field.defaults) { $0.add(Field.timestampClock, Clock.monotonic) }
    if let reference = source.reference {
      first.group(Field.clockSnapshot) { snapshot in
        for (id, time) in [
          (Clock.realtime, reference.wall), (Clock.monotonic, reference.monotonic),
          (Clock.boottime, reference.boottime)
        ] {
          snapshot.group(1) {
            $0.add(1, id)
            $0.add(2, UInt64(max(0, time)))
          }
        }
        snapshot.add(2, Clock.boottime)
      }
    }
    var trace = ProtobufMessage()
    trace.add(Field.packet, first)
    try file.write(trace.bytes)
  }

  /// Declares a track and gives its id.
  mutating func track(
    _ name: String, description: String = "", parent: UInt64? = nil, unit: String? = nil
  ) throws -> UInt64 {
    lastTrack += 1
    let id = lastTrack
    try packet { packet in
      packet.group(Field.trackDescriptor) { track in
        track.add(1, id)
        track.add(2, name)
        if let parent { track.add(5, parent) }
        if let unit {
          track.group(8) { counter in
            if !unit.isEmpty {
              counter.add(6, unit)
              counter.add(7, unit)
            }
          }
        }
        if !description.isEmpty { track.add(14, description) }
      }
    }
    return id
  }

  func counter(_ track: UInt64, at time: Int64, _ value: Double) throws {
    try packet(at: time) { packet in
      packet.group(Field.trackEvent) { event in
        event.add(9, 4)
        event.add(11, track)
        event.add(44, double: value)
      }
    }
  }

  /// - Parameter type: 1 begins a slice, 2 ends it, 3 is an instant.
  private func event(_ type: UInt64, _ track: UInt64, at time: Int64, _ name: String = "") throws {
    try packet(at: time) { packet in
      packet.group(Field.trackEvent) { event in
        event.add(9, type)
        event.add(11, track)
        if !name.isEmpty { event.add(23, name) }
      }
    }
  }

  // MARK: - Slices

  mutating func spans() throws {
    guard !source.spans.isEmpty else { return }
    let track = try self.track("Kelvin: jobs")
    var open: [CaptureSpan] = []
    let sorted = source.spans.sorted {
      ($0.from, $0.depth, $1.to) < ($1.from, $1.depth, $0.to)
    }
    for span in sorted {
      while let last = open.last, last.to <= span.from {
        try event(2, track, at: last.to)
        open.removeLast()
      }
      try event(1, track, at: span.from, span.name)
      open.append(span)
    }
    while let last = open.popLast() { try event(2, track, at: last.to) }
  }

  mutating func events() throws {
    var tracks: [String: UInt64] = [:]
    for occurrence in source.events {
      let channel = occurrence.channel.map { ", " + source.channels[$0].name } ?? ""
      let kind = occurrence.kind.rawValue
      let key = "Kelvin: \(kind)\(channel)"
      if tracks[key] == nil { tracks[key] = try self.track(key) }
      guard let track = tracks[key] else { continue }
      var name = occurrence.note.isEmpty ? kind : occurrence.note
      if let count = occurrence.count { name += " (\(count))" }
      let from = source.clock.host(occurrence.from)
      let to = source.clock.host(occurrence.to)
      if to > from {
        try event(1, track, at: from, name)
        try event(2, track, at: to)
      } else {
        try event(3, track, at: from, name)
      }
    }
  }
}
