internal import CLinux
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture owns whose tester sends readings by itself, without numbers or times.
///
/// A reading's time is when the last of it came. Where several came at once, since this machine was late, they are
/// spread evenly between the last one's time and now.
struct TesterListener {
  private let port: TesterPort
  private let language: any TesterLanguage
  private var samples: TesterSamples
  /// What came and is not yet a whole frame.
  private var buffer: [UInt8] = []
  /// Bytes that belong to no frame: before the first one, and later.
  private var stale = 0
  private var foreign = 0
  /// Foreign ones since the last frame.
  private var row = 0
  private var last: Int64?
  private var suspends = SuspendWatch()

  /// A line that holds no frame in so many bytes holds none at all.
  private static let most = 4096

  init(_ port: TesterPort, _ language: any TesterLanguage, into sink: any BlockSink) {
    self.port = port
    self.language = language
    samples = TesterSamples(channels: language.channels.count, into: sink)
  }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(40) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try measure(until: isAsked, hasBegun)
    } catch { failure = error }
    samples.finish(at: MonotonicTime.now.nanoseconds)
    var counts: [String: Value] = ["realtime": .boolean(isRealtime)]
    if stale > 0 { counts["stale bytes"] = .integer(Int64(stale)) }
    if foreign > 0 { counts["foreign bytes"] = .integer(Int64(foreign)) }
    return CaptureSummary(
      samples: samples.samples, lost: samples.lost, witnesses: [language.witness],
      hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }

  private mutating func measure(
    until isAsked: Interrupt, _ hasBegun: Interrupt
  ) throws(MeterFailure) {
    var room = [UInt8](repeating: 0, count: 4096)
    while true {
      switch Deadline.after(seconds: port.patience, interrupt: isAsked)
        .wait(for: port.line.descriptor)
      {
      case .interrupted: return
      case .passed:
        throw MeterFailure(
          .timedOut, "\(port.name): \(port.line.path): it sends nothing any more",
          hint: "unplug it and plug it in again; what came before is kept")
      case .ready: break
      }
      let count: Int
      do throws(DeviceFailure) {
        count = try port.line.read(into: &room)
      } catch { throw MeterFailure(error, of: port.name) }
      let arrival = MonotonicTime.now.nanoseconds
      if let suspension = suspends.look(at: arrival) { samples.take(suspension.event) }
      buffer += room[..<count]
      take(at: arrival, hasBegun)
      guard row < Self.most else {
        throw MeterFailure(
          .malfunction,
          "\(port.name): \(port.line.path): what it sends holds no readings of \(language.title)",
          evidence: Excerpt.hex(buffer),
          hint: "has another device this port, or is 'baud' another? what came before is kept")
      }
    }
  }

  /// What stands in the line: readings, and places where something else stood.
  private enum Part {
    case reading([Int64])
    case damage
  }

  private mutating func take(at arrival: Int64, _ hasBegun: Interrupt) {
    let parts = parse()
    let count = parts.reduce(0) { if case .reading = $1 { $0 + 1 } else { $0 } }
    let from = last ?? arrival
    var place: Int64 = 0
    for part in parts {
      switch part {
      case .damage: samples.miss("what came in between is no reading", at: from)
      case .reading(let codes):
        place += 1
        samples.give(codes, at: from &+ (arrival &- from) &* place / Int64(count))
        hasBegun.raise()
      }
    }
    if count > 0 { last = arrival }
  }

  private mutating func parse() -> [Part] {
    var parts: [Part] = []
    var place = 0
    while place < buffer.count {
      let rest = buffer[place...]
      if language.mayBegin(rest) {
        guard rest.count >= language.size else { break }
        if let reading = try? language.read(rest.prefix(language.size)) {
          parts.append(.reading(reading.codes))
          place += language.size
          row = 0
          continue
        }
      }
      // One break is one missing reading at least.
      if row == 0, samples.count > 0 || !parts.isEmpty { parts.append(.damage) }
      if samples.count > 0 || !parts.isEmpty { foreign += 1 } else { stale += 1 }
      row += 1
      place += 1
    }
    buffer.removeFirst(place)
    return parts
  }
}
