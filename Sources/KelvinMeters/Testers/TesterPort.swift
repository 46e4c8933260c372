internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// The serial port of a USB tester while it is open. Used by one thread at a time.
struct TesterPort: Sendable {
  let name: String
  let line: SerialPort
  /// How long an answer may take, in seconds.
  let patience: Double

  /// What came to a question.
  struct Answer {
    var bytes: [UInt8]
    /// When it was asked, and when the last of it came, in nanoseconds.
    var asked: Int64
    var came: Int64
  }

  /// How often it is asked who it is: what a predecessor has left may spoil the first answer.
  private static let attempts = 2

  /// Finds the port and opens it, alone.
  init(
    name: String, _ options: TesterOptions, _ places: MeterPlaces, until deadline: Deadline
  ) throws(MeterFailure) {
    self.name = name
    patience = options.patience
    do throws(DeviceFailure) {
      let place = try places.serialPort(path: options.path, match: options.match)
      line = try SerialPort(path: place, baud: options.baud, patience: 1, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// What came that nobody waits for, and is thrown away with this: how many bytes.
  func strays() throws(MeterFailure) -> Int {
    var buffer = [UInt8](repeating: 0, count: 4096)
    var count = 0
    while true {
      guard Deadline.after(seconds: 0).wait(for: line.descriptor) == .ready else { return count }
      do throws(DeviceFailure) {
        count += try line.read(into: &buffer)
      } catch { throw MeterFailure(error, of: name) }
      guard count < 1 << 20 else { return count }
    }
  }

  /// Asks for a frame, and gives what came in time: less than the frame when it stopped there, more when more
  /// came with it.
  func ask(
    _ question: [UInt8], _ size: Int, until deadline: Deadline
  ) throws(MeterFailure) -> Answer {
    let limit = deadline.limited(toSeconds: patience)
    do throws(DeviceFailure) {
      let asked = MonotonicTime.now.nanoseconds
      try line.write(question, until: limit)
      let bytes = try line.read(count: size, until: limit)
      return Answer(bytes: bytes, asked: asked, came: MonotonicTime.now.nanoseconds)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Throws away what comes, until nothing has come for as long as an answer may take.
  ///
  /// - Returns: false when it goes on and on, or the deadline has passed.
  func settle(until deadline: Deadline) throws(MeterFailure) -> Bool {
    let limit = deadline.limited(toSeconds: 10 * patience)
    while true {
      let wait = limit.limited(toSeconds: patience)
      switch wait.wait(for: line.descriptor) {
      case .interrupted: return false
      case .passed: return !limit.hasPassed
      case .ready: _ = try strays()
      }
      if limit.hasPassed { return false }
    }
  }

  /// Has it say a first reading.
  ///
  /// - Throws: `timedOut` when nothing comes; `malfunction` when something else does.
  func identify(
    _ language: any TesterLanguage, until deadline: Deadline
  ) throws(MeterFailure) -> TesterReading {
    var heard: [UInt8] = []
    var fault: TesterFault?
    for attempt in 0..<Self.attempts {
      if attempt > 0 || language.question == nil { _ = try strays() }
      if attempt > 0, language.question != nil { _ = try settle(until: deadline) }
      let bytes = try first(language, until: deadline)
      if !bytes.isEmpty { heard = bytes }
      switch Self.reading(in: bytes, language) {
      case .success(let reading): return reading
      case .failure(let wrong): if !bytes.isEmpty { fault = wrong }
      }
      if deadline.isInterrupted { throw MeterFailure(.interrupted, "\(name): stopped") }
    }
    guard let fault else {
      throw MeterFailure(
        .timedOut,
        "\(name): \(line.path) \(language.question == nil ? "says nothing" : "does not answer")",
        hint: "is it \(language.title), and is it switched on?")
    }
    throw MeterFailure(
      .malfunction,
      "\(name): \(line.path) says something, but not as \(language.title) does: \(fault.text)",
      evidence: Excerpt.hex(heard), hint: "another device may have this port")
  }

  /// What the first of it is to be looked for in.
  private func first(
    _ language: any TesterLanguage, until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    if let question = language.question {
      if try strays() > 0 { _ = try settle(until: deadline) }
      return try ask(question, language.size, until: deadline).bytes
    }
    do throws(DeviceFailure) {
      // One whole frame is within any two, less a byte.
      return try line.read(
        count: 2 * language.size - 1, until: deadline.limited(toSeconds: patience))
    } catch { throw MeterFailure(error, of: name) }
  }

  private static func reading(
    in bytes: [UInt8], _ language: any TesterLanguage
  ) -> Result<TesterReading, TesterFault> {
    guard bytes.count >= language.size, language.question == nil else {
      return Result { () throws(TesterFault) in try language.read(bytes[...]) }
    }
    for start in 0...(bytes.count - language.size) {
      if let reading = try? language.read(bytes[start..<(start + language.size)]) {
        return .success(reading)
      }
    }
    return .failure(TesterFault("there is no frame in it"))
  }
}
