internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
package import Synchronization

/// A serial line: relays between a board's end (a pseudo terminal's master) and the host's, and spoils
/// what it carries, on a thread of its own.
package final class FaultyLine: Sendable {
  /// All that the board said and was told, before it was spoilt.
  package struct Traffic: Sendable {
    package var said: [UInt8] = []
    package var told: [UInt8] = []
  }

  /// Kept only where that was asked for: it grows without end.
  package let traffic = Mutex(Traffic())
  /// While set, nothing passes either way.
  package let isCut = Atomic<Bool>(false)
  /// They may change at any time.
  package let faults: Mutex<LineFaults>
  private let keepsTraffic: Bool
  private let cutEnd = Mutex<MonotonicTime?>(nil)
  private let board: Int32
  private let relay: Int32
  private let bell = Doorbell()
  private let ending = Interrupt()
  private let thread = Mutex<NamedThread?>(nil)

  /// Starts to relay.
  ///
  /// - Parameters:
  ///   - board: closed at the end.
  ///   - host: becomes the host's end of the line, a socket that is the caller's to close; it ends when
  ///     the board's end hangs up.
  package init(
    _ board: Int32, _ faults: LineFaults = LineFaults(), keepsTraffic: Bool = false,
    host: inout Int32
  ) throws(PlainFailure) {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      let error = Errno.current
      close(board)
      throw PlainFailure(.infrastructure, "no line could be made: \(error)")
    }
    for end in [board, ends[0], ends[1]] { kelvin_set_nonblocking(end) }
    self.board = board
    self.keepsTraffic = keepsTraffic
    relay = ends[1]
    self.faults = Mutex(faults)
    host = ends[0]
    do throws(PlainFailure) {
      let new = try NamedThread("faulty line") { [weak self] in self?.run() }
      thread.withLock { $0 = new }
    } catch {
      for end in [board, ends[0], ends[1]] { close(end) }
      throw error
    }
  }

  /// Nothing passes for a while, from now on.
  package func cut(seconds: Double) {
    cutEnd.withLock {
      $0 = MonotonicTime(nanoseconds: MonotonicTime.now.nanoseconds + Int64(seconds * 1e9))
    }
    isCut.store(true, ordering: .releasing)
    bell.ring()
  }

  /// Ends the relay; the board sees its line hang up. Idempotent.
  package func end() {
    ending.raise()
    guard let running = thread.take() else { return }
    running.join()
    close(board)
    close(relay)
  }

  // MARK: The thread

  /// Bytes on their way in one direction.
  private struct Stream {
    var delayed: [(due: Int64, bytes: [UInt8])] = []
    var ready: [UInt8] = []

    var isFull: Bool { ready.count + delayed.reduce(0) { $0 + $1.bytes.count } >= 65_536 }

    mutating func append(_ bytes: [UInt8], _ delay: Double) {
      if delay > 0, !bytes.isEmpty {
        delayed.append((MonotonicTime.now.nanoseconds + Int64(delay * 1e9), bytes))
      } else {
        ready += bytes
      }
    }

    mutating func ripen(_ now: Int64) {
      while let first = delayed.first, first.due <= now {
        ready += first.bytes
        delayed.removeFirst()
      }
    }
  }

  private func run() {
    var generator = SeededGenerator(seed: faults.withLock { $0.seed })
    var nextNoise = MonotonicTime.now.nanoseconds
    var (up, down) = (Stream(), Stream())
    var saidBytes = 0
    while !ending.isRaised {
      let faults = faults.withLock { $0 }
      wait(up, down, faults)
      // A slow line carries a few bytes at a time.
      let slice = faults.bitsPerSecond.map { max(16, $0 / 10 / 200) } ?? 65_536
      let isCut = isInterrupted(faults, saidBytes)
      if !down.isFull {
        guard let bytes = take(board, slice) else { return hangUp() }
        saidBytes += bytes.count
        if keepsTraffic { traffic.withLock { $0.said += bytes } }
        if !isCut { down.append(spoil(bytes, faults, &generator), faults.delaySeconds) }
      }
      let now = MonotonicTime.now.nanoseconds
      // Noise that nobody could hear meanwhile is not made up for.
      nextNoise = max(nextNoise, now - 100_000_000)
      while faults.noisePerSecond > 0, nextNoise <= now {
        nextNoise += Int64(1e9 / faults.noisePerSecond)
        let place = Int.random(in: 0...down.ready.count, using: &generator)
        if !isCut, !down.isFull {
          down.ready.insert(contentsOf: faults.noiseLine(&generator), at: place)
        }
      }
      if !up.isFull {
        guard let bytes = take(relay, slice) else { return }
        if keepsTraffic { traffic.withLock { $0.told += bytes } }
        if !isCut { up.append(spoil(bytes, faults, &generator), faults.delaySeconds) }
      }
      up.ripen(now)
      down.ripen(now)
      let moved = max(min(slice, up.ready.count), min(slice, down.ready.count))
      give(&up.ready, to: board, slice)
      give(&down.ready, to: relay, slice)
      if let speed = faults.bitsPerSecond, moved > 0 {
        _ = Deadline.after(seconds: Double(moved) * 10 / Double(speed), interrupt: ending).wait()
      }
    }
  }

  private func wait(_ up: Stream, _ down: Stream, _ faults: LineFaults) {
    var polled = [board, relay, ending.descriptor, bell.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    // What is full is not listened to, until some of it has gone.
    if down.isFull { polled[0].events = 0 }
    if up.isFull { polled[1].events = 0 }
    if !up.ready.isEmpty { polled[0].events |= Int16(POLLOUT) }
    if !down.ready.isEmpty { polled[1].events |= Int16(POLLOUT) }
    // A hang-up is always reported.
    for index in 0..<2 where polled[index].events == 0 { polled[index].fd = -1 }
    let isTimed = faults.noisePerSecond > 0 || faults.delaySeconds > 0
    poll(&polled, 4, isTimed ? 2 : 50)
    bell.silence()
  }

  /// Whether nothing passes now.
  private func isInterrupted(_ faults: LineFaults, _ saidBytes: Int) -> Bool {
    if let limit = faults.stallAfter, saidBytes >= limit { return true }
    if let cut = faults.cutAfter, saidBytes >= cut.bytes {
      self.faults.withLock { $0.cutAfter = nil }
      self.cut(seconds: cut.seconds)
    }
    let isOver = cutEnd.withLock { end in
      guard let time = end, time <= .now else { return false }
      end = nil
      return true
    }
    if isOver { isCut.store(false, ordering: .releasing) }
    return isCut.load(ordering: .acquiring)
  }

  private func hangUp() { shutdown(relay, Int32(SHUT_RDWR)) }

  /// Nil at the end; what cannot be read now is empty.
  private func take(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
    withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { buffer in
      let got = read(descriptor, buffer.baseAddress, count)
      if got < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
      return got == 0 ? nil : Array(buffer[..<got])
    }
  }

  private func give(_ bytes: inout [UInt8], to descriptor: Int32, _ limit: Int) {
    guard !bytes.isEmpty else { return }
    let count = write(descriptor, bytes, min(limit, bytes.count))
    if count > 0 { bytes.removeFirst(count) }
  }

  private func spoil(
    _ bytes: [UInt8], _ faults: LineFaults, _ generator: inout SeededGenerator
  ) -> [UInt8] {
    guard faults.lost + faults.doubled + faults.changed > 0 else { return bytes }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for byte in bytes {
      if generator.chance(faults.lost) { continue }
      result.append(generator.chance(faults.changed) ? byte ^ 1 << (generator.next() & 7) : byte)
      if generator.chance(faults.doubled) { result.append(byte) }
    }
    return result
  }
}
