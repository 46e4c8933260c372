internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A console's log on disk: every byte that came, in segments of bounded size, and beside each an
/// index that says when (docs/owner.md has the format).
///
/// Bytes are written by write(2) before anybody is told of them, so that neither the owner's death
/// nor a reader's loses what was received. What the disk refuses is counted and noted, never silently
/// dropped. Appending belongs to the port's thread; ``extent`` may be asked from any.
package final class ConsoleLog: Sendable {
  /// When a segment ends, and how much is kept in all, indexes included.
  package struct Limits: Sendable {
    package var segmentBytes: UInt64
    package var totalBytes: UInt64

    /// Creates limits; by default 16 MiB of 256 MiB.
    package init(segmentBytes: UInt64 = 16 << 20, totalBytes: UInt64 = 256 << 20) {
      self.segmentBytes = segmentBytes
      self.totalBytes = totalBytes
    }
  }

  /// What there is to read: positions count the console's bytes since its log was begun.
  package struct Extent: Sendable, Hashable {
    /// The oldest byte that is still kept.
    package var first: UInt64
    /// One behind the newest byte.
    package var end: UInt64
    /// Bytes that this owner received and could not write.
    package var lost: UInt64
    /// Why the last write failed; nil when it did not.
    package var problem: String?
  }

  package let directory: String
  private let limits: Limits
  private let shared: Mutex<Extent>
  private let writer: Mutex<Writer>

  package var extent: Extent { shared.withLock { $0 } }

  /// Begins a log, or continues one with a note of the gap.
  ///
  /// - Parameter socket: where whoever writes it can be reached, for another that would.
  /// - Throws: `conflict` when another process writes to it, naming it; `system` when it cannot be made.
  package init(
    directory: String, limits: Limits = Limits(), socket: String = ""
  ) throws(OwnerFailure) {
    self.directory = directory
    self.limits = limits
    var writer = try Writer(directory: directory, socket: socket)
    let end = try writer.recover()
    shared = Mutex(Extent(first: writer.segments[0].start, end: end, lost: 0, problem: nil))
    self.writer = Mutex(writer)
  }

  /// Appends bytes as one chunk.
  package func append(_ bytes: UnsafeRawBufferPointer) {
    guard !bytes.isEmpty else { return }
    writer.withLock { writer in
      let lostBefore = writer.lostInAll
      writer.append(bytes, limits)
      publish(writer, isHealthy: writer.lostInAll == lostBefore)
    }
  }

  /// Notes that something happened, at the present end: `{"event":"open"}`.
  package func note(_ event: String, _ more: [String: Value] = [:]) {
    writer.withLock { writer in
      var values = more
      values["event"] = .text(event)
      _ = writer.note(values)
    }
  }

  private func publish(_ writer: borrowing Writer, isHealthy: Bool) {
    shared.withLock { extent in
      extent.first = writer.segments[0].start
      extent.end = writer.end
      extent.lost = writer.lostInAll
      extent.problem = isHealthy ? nil : writer.problem
    }
  }
}
