internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// The serial port of a PPK2 while it is open. Used by one thread at a time.
struct PPK2Port: Sendable {
  let name: String
  let line: SerialPort

  /// The measuring port is the one with the lowest interface (pc-nrfconnect-ppk,
  /// src/device/serialDevice.ts).
  static let places = MeterPlaces(driver: "ppk2", title: "PPK2")

  /// Finds the port and opens it.
  init(
    name: String, path: String?, match: DeviceMatch?, until deadline: Deadline
  ) throws(MeterFailure) {
    self.name = name
    do throws(DeviceFailure) {
      let place = try Self.places.serialPort(path: path, match: match)
      line = try SerialPort(path: place, baud: 115_200, patience: 1, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Sends a command; it is not answered.
  func send(_ command: PPK2Command, until deadline: Deadline) throws(MeterFailure) {
    do throws(DeviceFailure) {
      try line.write(command.bytes, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Ends measuring, and throws away what was on its way: a predecessor that was killed has left
  /// thousands of bytes.
  ///
  /// - Throws: `malfunction` when it goes on sending.
  func quiet(until deadline: Deadline) throws(MeterFailure) {
    let limit = deadline.limited(toSeconds: 2)
    try send(.stop, until: limit)
    do throws(DeviceFailure) {
      while try line.read(until: limit.limited(toSeconds: Self.silence)) != nil {
        guard !limit.hasPassed else {
          throw DeviceFailure(
            .unsuitable, "\(line.path): it goes on sending after it was told to stop",
            hint: "is it a PPK2?")
        }
      }
    } catch { throw MeterFailure(error, of: name) }
  }

  /// In seconds: a hundred times what a full-speed device takes from one packet to the next.
  private static let silence = 0.1

  /// What it says about itself; it must not measure.
  ///
  /// - Throws: `malfunction` when what answers is no PPK2.
  func metadata(until deadline: Deadline) throws(MeterFailure) -> PPK2Metadata {
    var answer: [UInt8] = []
    // Once more for a question, or an answer, that was lost on the way.
    for _ in 0..<2 {
      answer = []
      try send(.metadata, until: deadline)
      let limit = deadline.limited(toSeconds: 1)
      do throws(DeviceFailure) {
        while answer.count < PPK2Metadata.limit, let more = try line.read(until: limit) {
          answer += more
          if let metadata = PPK2Metadata(answer) { return metadata }
        }
      } catch { throw MeterFailure(error, of: name) }
    }
    guard !answer.isEmpty else {
      throw MeterFailure(
        .timedOut, "\(name): \(line.path) does not answer",
        hint:
          "is it a PPK2? Newer ones have two ports, and the one with the lower interface measures")
    }
    throw MeterFailure(
      .malfunction, "\(name): \(line.path) answers, but not as a PPK2 does",
      evidence: Excerpt.of(answer), hint: "another device may have this port")
  }
}
