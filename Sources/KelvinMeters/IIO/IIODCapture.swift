internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What is asked of an iiod for a capture.
struct IIODRequest: Sendable {
  let name: String
  let selection: IIOSelection
  let rate: Double?
  /// Scans in a batch.
  let batch: Int
  let mask: IIODMask
  /// How long the other side waits for a batch, in seconds.
  let patience: Double

  init(_ name: String, _ selection: IIOSelection, rate: Double?) throws(MeterFailure) {
    self.name = name
    self.selection = selection
    self.rate = rate
    let device = selection.device
    guard device.timestamp != nil || rate != nil else {
      throw MeterFailure(
        .unsupported, "\(name): \(device.title) gives neither time stamps nor a rate")
    }
    var mask = IIODMask(channels: device.channels.count)
    let wanted = selection.chosen + [device.timestamp].compactMap { $0 }
    for (bit, channel) in device.channels.enumerated() where wanted.contains(channel) {
      mask[bit] = true
    }
    self.mask = mask
    // Some 10 batches a second: libiio has the kernel keep four of them, so that the daemon may be
    // 0.3 s late.
    let batch = selection.options.buffer ?? Int(min(max((rate ?? 10) / 10, 1), 65_536))
    self.batch = batch
    patience = rate.map { max(3, 10 * Double(batch) / $0) } ?? 3600
  }

  /// Enables the channels.
  func open(_ client: IIODClient, until deadline: Deadline) throws(MeterFailure) {
    try client.setTimeout(milliseconds: Int(patience * 1000), until: deadline)
    try client.open(selection.device.id, scans: batch, mask: mask, until: deadline)
  }

  /// How scans with these channels are read; nil when one that is needed is missing.
  func plan(_ mask: IIODMask) -> IIOScanStream.Plan? {
    let elements = selection.device.channels.enumerated().filter { mask[$0.offset] }.map(\.element)
    guard selection.device.timestamp == nil || elements.contains(where: \.isTimestamp) else {
      return nil
    }
    return selection.plan(elements: elements, period: rate.map { 1e9 / $0 })
  }
}

/// A capture over the network, on a thread of its own.
final class IIODCapture: Sendable {
  private let ending = IIODEnding()
  private let thread: NamedThread
  private let result: Result
  /// How long a batch may take, in seconds.
  private let grace: Double

  private final class Result: Sendable { let summary = Mutex(CaptureSummary(samples: [])) }

  init(
    _ request: IIODRequest, _ client: IIODClient, into sink: any BlockSink, roundTrip: Int64
  ) throws(MeterFailure) {
    let (ending, result) = (ending, Result())
    self.result = result
    grace = 1 + (request.rate.map { 2 * Double(request.batch) / $0 } ?? 0)
    do throws(PlainFailure) {
      thread = try NamedThread("iiod") {
        let worker = IIODCaptureWorker(request, client, into: sink, ending, roundTrip: roundTrip)
        let summary = worker.run()
        result.summary.withLock { $0 = summary }
        ending.isOver.raise()
      }
    } catch {
      throw MeterFailure(.malfunction, error.message)
    }
  }

  deinit {
    ending.isAsked.raise()
    ending.now.raise()
  }

  /// Raised when it has ended, by itself or not.
  var isOver: Interrupt { ending.isOver }

  /// Ends it, with the batch that this moment is in. Idempotent.
  @discardableResult
  func end() -> CaptureSummary {
    ending.isAsked.raise()
    _ = Deadline.after(seconds: grace, interrupt: ending.isOver).wait()
    ending.now.raise()
    thread.join()
    return result.summary.withLock { $0 }
  }
}

/// How a capture comes to its end.
final class IIODEnding: Sendable {
  /// After the next batch.
  let isAsked = Interrupt()
  /// At once.
  let now = Interrupt()
  let isOver = Interrupt()
}

/// What the thread owns.
private final class IIODCaptureWorker {
  private let request: IIODRequest
  private let client: IIODClient
  private let sink: any BlockSink
  private let ending: IIODEnding
  private var isDone = false
  private var suspends = HostSuspends()
  private var stream: IIOScanStream
  private var mask: IIODMask
  private var fitter: IIOClockFitter
  /// The beginning of a scan whose rest has not come.
  private var part: [UInt8] = []
  private var chunks: Int64 = 0
  private let device: String

  init(
    _ request: IIODRequest, _ client: IIODClient, into sink: any BlockSink, _ ending: IIODEnding,
    roundTrip: Int64
  ) {
    self.request = request
    self.client = client
    self.sink = sink
    self.ending = ending
    device = request.selection.device.id
    mask = request.mask
    fitter = IIOClockFitter(shortestDelay: roundTrip == .max ? 0 : Double(roundTrip))
    let empty = IIOScanStream.Plan(layout: IIOScanLayout([]), channels: [], period: 1)
    stream = IIOScanStream(request.plan(request.mask) ?? empty, into: sink)
  }

  func run() -> CaptureSummary {
    var failure: MeterFailure?
    do throws(MeterFailure) {
      while !isDone { try receiveBuffer() }
    } catch {
      if !ending.now.isRaised { failure = error }
    }
    stream.finish()
    // The other side takes that for a CLOSE; while it sends samples it hears no command.
    client.shutDown()
    return summary(failure)
  }

  /// The latest time by which something must have come.
  private var deadline: Deadline {
    .after(seconds: request.patience + 2, interrupt: ending.now)
  }

  /// One READBUF: as many batches as fit into some 16 MiB, so that the other side never waits for the
  /// next request.
  private func receiveBuffer() throws(MeterFailure) {
    let batch = request.batch * stream.scanSize
    var rest = batch * max(1, (16 << 20) / batch)
    try client.requestSamples(device, bytes: rest, until: deadline)
    var isFirst = true
    var seen = 0
    while rest > 0, !isDone {
      let length = try client.integer(until: deadline)
      guard length >= 0 else { throw failure(length) }
      if length == 0 {
        // Another client has changed the channels; what is asked next comes with the new mask.
        return try countEmpty(seen)
      }
      guard length <= rest, length <= 1 << 30 else {
        throw client.malformed("\(length) bytes of samples, where \(rest) were asked for")
      }
      if isFirst {
        isFirst = false
        try readMask()
      }
      guard length % stream.scanSize == 0 else {
        throw client.malformed("\(length) bytes of samples, where a scan has \(stream.scanSize)")
      }
      try receiveChunk(length)
      rest -= length
      seen += length
      isDone = ending.isAsked.isRaised
    }
    empty = 0
  }

  /// READBUFs in a row that gave nothing.
  private var empty = 0

  private func countEmpty(_ seen: Int) throws(MeterFailure) {
    empty = seen > 0 ? 0 : empty + 1
    guard empty < 16 else { throw client.malformed("it ends each transfer without a sample") }
  }

  private func failure(_ code: Int) -> MeterFailure {
    let failure = client.failure(code, "READBUF \(device)")
    guard failure.code == .timedOut else { return failure }
    let hint =
      request.selection.device.isShuntMonitor
      ? "where its conversion-ready flag never comes, 'async-readout: true' does without it"
      : "does its trigger fire?"
    return MeterFailure(
      .malfunction, "\(request.name): no sample for \(Int(request.patience)) s", hint: hint)
  }

  /// Which channels the scans have: more than were asked for when another client wants others, too.
  private func readMask() throws(MeterFailure) {
    let line = try client.line(limit: 1024, until: deadline)
    let text = String(decoding: line, as: UTF8.self).trimmed
    guard let mask = IIODMask(text), mask.words.count == request.mask.words.count else {
      throw client.malformed("'\(text.prefix(40))' is no mask of \(device)'s channels")
    }
    guard mask != self.mask else { return }
    guard let plan = request.plan(mask) else {
      throw client.malformed("samples without channels that were asked for: mask \(text)")
    }
    self.mask = mask
    stream.change(plan)
  }

  private func receiveChunk(_ length: Int) throws(MeterFailure) {
    var rest = length
    chunks += 1
    while rest > 0 {
      let bytes = try client.some(limit: rest, until: deadline)
      let arrival = MonotonicTime.now.nanoseconds
      suspends.look(at: arrival, latest: stream.latest, sink)
      rest -= bytes.count
      take(bytes, arrival)
    }
    // The last scan of a batch was just taken when the batch was sent.
    if let latest = stream.latest {
      fitter.take(meter: latest, host: MonotonicTime.now.nanoseconds)
    }
  }

  /// Hands over what is whole: should the connection end in the middle of a batch, all of it counts.
  private func take(_ bytes: [UInt8], _ arrival: Int64) {
    let size = stream.scanSize
    let all = part.isEmpty ? bytes : part + bytes
    let whole = all.count / size * size
    stream.take(all.span.bytes.extracting(0..<whole), arrival: arrival)
    part = Array(all[whole...])
  }

  private func summary(_ failure: MeterFailure?) -> CaptureSummary {
    var counts: [String: Value] = ["batches": .integer(chunks)]
    if let period = stream.period { counts["measured rate"] = .number(1e9 / period) }
    if suspends.count > 0 { counts["suspends"] = .integer(suspends.count) }
    return CaptureSummary(
      samples: Array(repeating: stream.scans, count: request.selection.channels.count),
      lost: stream.lost,
      witnesses: request.selection.device.timestamp == nil ? [] : ["time stamps against rate"],
      clock: suspends.doubt(fitter.fit ?? .host), hostCPU: kelvin_cpu_time(1), counts: counts,
      failure: failure)
  }
}
