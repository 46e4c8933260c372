import CLinux
import Glibc
import KelvinModel
import KelvinSystem
import Synchronization

@testable import KelvinConnections

/// What goes wrong on a line. Seeded, so that a test's line is the same each time, but for when.
struct LineFaults: Sendable {
  /// Shares of bytes that are lost, doubled, or have a bit changed, each way.
  var lost = 0.0
  var doubled = 0.0
  var changed = 0.0
  /// Foreign lines a second, put between any two bytes of what the board says.
  var noisePerSecond = 0.0
  /// The line's speed; nil is as fast as it goes.
  var bitsPerSecond: Int?
  var seed: UInt64 = 1
}

/// Relays between a board's end of a line (a pty's master) and a test, and spoils what it carries.
final class FaultyLine: Sendable {
  /// The test's end; used by one thread.
  nonisolated(unsafe) let link: DescriptorLink
  /// All that the board said and was told, before it was spoilt.
  let traffic = Mutex((said: [UInt8](), told: [UInt8]()))
  /// While set, nothing passes either way.
  let isCut = Atomic<Bool>(false)
  let faults: Mutex<LineFaults>
  private let board: Int32
  private let host: Int32
  private let ending = Interrupt()
  private let thread = Mutex<NamedThread?>(nil)

  /// - Parameter board: closed at the end.
  init(_ board: Int32, _ faults: LineFaults = LineFaults()) throws {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw Errno.current
    }
    for end in [board, ends[1]] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    self.board = board
    host = ends[1]
    self.faults = Mutex(faults)
    link = DescriptorLink(
      ends[0], name: "test line", bitsPerSecond: faults.bitsPerSecond ?? 10_000_000)
    let new = try NamedThread("faulty line") { [weak self] in self?.run() }
    thread.withLock { $0 = new }
  }

  /// Ends the relay; the board sees its line hang up.
  func end() {
    ending.raise()
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    guard let running else { return }
    running.join()
    close(board)
    close(host)
  }

  private func run() {
    var generator = SeededGenerator(seed: faults.withLock { $0.seed })
    var nextNoise = MonotonicTime.now.nanoseconds
    var rest: (up: [UInt8], down: [UInt8]) = ([], [])
    while !ending.isRaised {
      let faults = faults.withLock { $0 }
      var polled = [
        pollfd(fd: board, events: Int16(POLLIN), revents: 0),
        pollfd(fd: host, events: Int16(POLLIN), revents: 0),
        pollfd(fd: ending.descriptor, events: Int16(POLLIN), revents: 0)
      ]
      if !rest.up.isEmpty { polled[0].events |= Int16(POLLOUT) }
      if !rest.down.isEmpty { polled[1].events |= Int16(POLLOUT) }
      poll(&polled, 3, faults.noisePerSecond > 0 ? 2 : 50)
      // A slow line carries a few bytes at a time.
      let slice = faults.bitsPerSecond.map { max(16, $0 / 10 / 200) } ?? 65_536
      let isCut = isCut.load(ordering: .acquiring)
      if rest.down.count < 65_536, polled[0].revents & Int16(POLLIN) != 0 {
        guard let bytes = take(board, slice) else { return hangUp() }
        traffic.withLock { $0.said += bytes }
        rest.down += isCut ? [] : spoil(bytes, faults, &generator)
      } else if polled[0].revents & Int16(POLLHUP) != 0 {
        return hangUp()
      }
      let now = MonotonicTime.now.nanoseconds
      while faults.noisePerSecond > 0, nextNoise <= now {
        nextNoise += Int64(1e9 / faults.noisePerSecond)
        let place = Int.random(in: 0...rest.down.count, using: &generator)
        rest.down.insert(contentsOf: generator.noiseLine(), at: place)
      }
      nextNoise = max(nextNoise, now - 100_000_000)
      if rest.up.count < 65_536, polled[1].revents & Int16(POLLIN) != 0 {
        guard let bytes = take(host, slice) else { return }
        traffic.withLock { $0.told += bytes }
        rest.up += isCut ? [] : spoil(bytes, faults, &generator)
      }
      let moved = max(min(slice, rest.up.count), min(slice, rest.down.count))
      give(&rest.up, to: board, slice)
      give(&rest.down, to: host, slice)
      if let speed = faults.bitsPerSecond, moved > 0 {
        _ = Deadline.after(seconds: Double(moved) * 10 / Double(speed), interrupt: ending).wait()
      }
    }
  }

  private func hangUp() { shutdown(host, Int32(SHUT_RDWR)) }

  /// Nil at the end; what cannot be read now is empty.
  private func take(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: count)
    let got = read(descriptor, &buffer, count)
    if got < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
    return got == 0 ? nil : Array(buffer[..<got])
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
