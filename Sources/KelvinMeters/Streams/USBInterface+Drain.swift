internal import KelvinDevices
internal import KelvinModel

extension USBInterface {
  /// Throws away what a predecessor that was killed had a meter send.
  ///
  /// - Parameters:
  ///   - count: bytes of a transfer, whole packets.
  ///   - silence: seconds without a packet after which nothing more comes.
  ///   - meter: its name, for messages.
  ///   - what: it goes on doing, for messages: 'streaming'.
  /// - Throws: `malfunction` when it goes on for two seconds.
  func drain(
    _ endpoint: UInt8, count: Int, silence: Double, of meter: String, what: String,
    until deadline: Deadline
  ) async throws(MeterFailure) {
    let limit = deadline.limited(toSeconds: 2)
    while !limit.hasPassed {
      do throws(USBFailure) {
        _ = try await read(endpoint, count: count, until: limit.limited(toSeconds: silence))
      } catch {
        guard error.code == .timedOut else { throw MeterFailure(error, of: meter) }
        // What came without filling the transfer was still something.
        if error.transferred == 0 { return }
      }
    }
    guard !limit.isInterrupted else { throw MeterFailure(.interrupted, "\(meter): stopped") }
    throw MeterFailure(
      .malfunction, "\(meter): it goes on \(what) after it was told to stop",
      hint: "unplug it and plug it in again")
  }
}
