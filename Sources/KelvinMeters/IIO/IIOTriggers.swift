internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A trigger that is made for one capture, for a device that has none of its own: the kernel's timer
/// (iio-trig-hrtimer), or where that cannot be had, one that this process pulls (iio-trig-sysfs).
final class IIOOwnTrigger: Sendable {
  let name: String
  /// `trigger2`
  let id: String
  private let files: IIOFiles
  private let kind: Kind
  private let pace: Pace?

  private enum Kind: Sendable {
    case timer(directory: String)
    case pulled(number: Int)
  }

  private static let timers = "/sys/kernel/config/iio/triggers/hrtimer"
  private static let maker = "iio_sysfs_trigger"

  /// Makes one; a timer's rate is set by its `sampling_frequency`, what is pulled has `rate` at once.
  ///
  /// - Throws: `unsupported` when the kernel has neither, `permission`.
  static func make(_ files: IIOFiles, rate: Double) throws(MeterFailure) -> IIOOwnTrigger {
    if access(files.root + timers, F_OK) == 0 { return try makeTimer(files) }
    if access(files.directory(maker) + "/add_trigger", F_OK) == 0 {
      return try makePulled(files, rate: rate)
    }
    throw MeterFailure(
      .unsupported, "the device needs a trigger, and this kernel has none that can be made",
      hint: "'modprobe iio-trig-hrtimer' and 'mount -t configfs none /sys/kernel/config', or "
        + "'modprobe iio-trig-sysfs'")
  }

  private static func makeTimer(_ files: IIOFiles) throws(MeterFailure) -> IIOOwnTrigger {
    for number in 0..<100 {
      let name = "kelvin-\(getpid())-\(number)"
      let directory = files.root + timers + "/" + name
      guard mkdir(directory, 0o755) == 0 else {
        let error = Errno.current
        if error.rawValue == EEXIST { continue }
        throw MeterFailure(iio: error, "\(timers): making a trigger")
      }
      guard let id = files.triggers()[name] else {
        rmdir(directory)
        throw MeterFailure(.malfunction, "\(timers): the trigger '\(name)' did not appear")
      }
      return IIOOwnTrigger(name, id, files, .timer(directory: directory), nil)
    }
    throw MeterFailure(.busy, "\(timers): all of this process's names are taken")
  }

  private static func makePulled(
    _ files: IIOFiles, rate: Double
  ) throws(MeterFailure) -> IIOOwnTrigger {
    let path = files.directory(maker) + "/add_trigger"
    for number in 0..<100 {
      do throws(Errno) { try SmallFile.write("\(number)", to: path) } catch {
        // The number is taken.
        if error.rawValue == EINVAL || error.rawValue == EEXIST { continue }
        throw MeterFailure(iio: error, "\(maker): making a trigger")
      }
      let name = "sysfstrig\(number)"
      guard let id = files.triggers()[name] else {
        throw MeterFailure(.malfunction, "\(maker): the trigger '\(name)' did not appear")
      }
      let pace = try Pace(path: files.directory(id) + "/trigger_now", rate: rate)
      return IIOOwnTrigger(name, id, files, .pulled(number: number), pace)
    }
    throw MeterFailure(.busy, "\(maker): all names are taken")
  }

  private init(_ name: String, _ id: String, _ files: IIOFiles, _ kind: Kind, _ pace: Pace?) {
    self.name = name
    self.id = id
    self.files = files
    self.kind = kind
    self.pace = pace
  }

  /// Whether its rate is an attribute.
  var isTimer: Bool { pace == nil }

  /// Ends it. The device must have let go of it.
  ///
  /// - Returns: why it is still there; nil when it is gone.
  func remove() -> String? {
    pace?.stop()
    switch kind {
    case .timer(let directory):
      return rmdir(directory) == 0 ? nil : "trigger '\(name)': \(Errno.current)"
    case .pulled(let number):
      do throws(Errno) {
        try SmallFile.write("\(number)", to: files.directory(Self.maker) + "/remove_trigger")
        return nil
      } catch {
        return "trigger '\(name)': \(error)"
      }
    }
  }
}

/// Pulls a trigger at absolute times, on a thread of its own.
private final class Pace: Sendable {
  private let stopping = Interrupt()
  private let thread: NamedThread

  init(path: String, rate: Double) throws(MeterFailure) {
    let period = Int64(1e9 / rate)
    let stopping = stopping
    do throws(PlainFailure) {
      thread = try NamedThread("iio-pace") {
        let file = kelvin_open(path, O_WRONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return }
        defer { close(file) }
        var due = MonotonicTime.now.nanoseconds + period
        while !stopping.isRaised {
          let deadline = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: stopping)
          // poll(2) counts milliseconds: the rest is slept to the nanosecond.
          if due - MonotonicTime.now.nanoseconds > 5_000_000,
            deadline.limited(toSeconds: Double(due - MonotonicTime.now.nanoseconds) / 1e9 - 0.002)
              .wait() == .interrupted
          {
            return
          }
          var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
          while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
          _ = Glibc.write(file, "1", 1)
          // What is past is left out: it shows as a gap.
          let passed = max(0, MonotonicTime.now.nanoseconds - due) / period
          due += (passed + 1) * period
        }
      }
    } catch {
      throw MeterFailure(.malfunction, error.message)
    }
  }

  func stop() {
    stopping.raise()
    thread.join()
  }

  deinit { stop() }
}
