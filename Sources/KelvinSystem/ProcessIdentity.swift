internal import CLinux
internal import Glibc

/// A process of this machine, named so that a process id that was given to another one is never
/// mistaken for it.
public struct ProcessIdentity: Hashable, Sendable {
  public let processID: Int32
  /// Field 22 of /proc/PID/stat: clock ticks since boot at its start.
  public let startTicks: UInt64

  /// Names a process.
  public init(processID: Int32, startTicks: UInt64) {
    self.processID = processID
    self.startTicks = startTicks
  }

  /// Looks a running process up; nil when there is none, or only a zombie.
  public init?(processID: Int32) {
    guard let entry = ProcessEntry(processID: processID), !entry.isZombie else { return nil }
    self.init(processID: processID, startTicks: entry.startTicks)
  }

  /// Whether this very process still runs.
  public var isAlive: Bool { ProcessIdentity(processID: processID) == self }
}

/// What /proc/PID/stat says of a process (proc(5)).
package struct ProcessEntry {
  package let processID: Int32
  package let state: UInt8
  package let parent: Int32
  package let group: Int32
  package let session: Int32
  /// The device number of its controlling terminal; 0: it has none.
  package let terminal: UInt32
  package let startTicks: UInt64

  package var isZombie: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }
  package var identity: ProcessIdentity {
    ProcessIdentity(processID: processID, startTicks: startTicks)
  }

  /// Nil when there is no such process.
  package init?(processID: Int32) {
    let descriptor = kelvin_open("/proc/\(processID)/stat", O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    // On the stack: this is read for every launch.
    let entry = withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 1) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      return ProcessEntry(
        processID: processID, stat: UnsafeRawBufferPointer(rebasing: buffer[..<max(0, count)]))
    }
    guard let entry else { return nil }
    self = entry
  }

  /// Reads the text of a stat file. The name, field 2, is in parentheses and may hold anything, so
  /// the fields are counted from the last parenthesis.
  package init?(processID: Int32, stat: UnsafeRawBufferPointer) {
    guard let end = stat.lastIndex(of: UInt8(ascii: ")")), end + 2 < stat.count else { return nil }
    var index = end + 2
    let state = stat[index]
    index += 2
    // The fields after the state: parent 0, group 1, session 2, terminal 3, start 18.
    var numbers = (
      parent: Int64(0), group: Int64(0), session: Int64(0), terminal: Int64(0), ticks: UInt64(0)
    )
    for field in 0...18 {
      let isNegative = index < stat.count && stat[index] == UInt8(ascii: "-")
      if isNegative { index += 1 }
      let start = index
      var value: UInt64 = 0
      while index < stat.count, case let digit = stat[index] &- 48, digit <= 9 {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        if overflow || carry { return nil }
        value = sum
        index += 1
      }
      // The last field must have come to its end: a cut number is another number.
      guard index > start, index < stat.count, stat[index] == UInt8(ascii: " ") else { return nil }
      index += 1
      let signed = Int64(clamping: value) * (isNegative ? -1 : 1)
      switch field {
      case 0: numbers.parent = signed
      case 1: numbers.group = signed
      case 2: numbers.session = signed
      case 3: numbers.terminal = signed
      case 18: numbers.ticks = value
      default: break
      }
    }
    guard let parent = Int32(exactly: numbers.parent), let group = Int32(exactly: numbers.group),
      let session = Int32(exactly: numbers.session)
    else { return nil }
    self.processID = processID
    self.state = state
    self.parent = parent
    self.group = group
    self.session = session
    terminal = UInt32(truncatingIfNeeded: numbers.terminal)
    startTicks = numbers.ticks
  }

  /// All processes that can be seen now.
  package static func all() -> [ProcessEntry] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var entries: [ProcessEntry] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let processID = Int32(name), let process = ProcessEntry(processID: processID) else {
        continue
      }
      entries.append(process)
    }
    return entries
  }

  /// What a process runs, cut to 15 bytes by the kernel; nil when there is none.
  package static func program(of processID: Int32) -> String? {
    SmallFile.text("/proc/\(processID)/comm")
  }

  /// Whether the environment that the process was started with holds `NAME=VALUE`. False when it
  /// cannot be read.
  package func hasEnvironment(_ assignment: [UInt8]) -> Bool {
    guard let bytes = SmallFile.read("/proc/\(processID)/environ", limit: 4 << 20) else {
      return false
    }
    return bytes.split(separator: 0).contains { $0.elementsEqual(assignment) }
  }

  /// Whether that environment has a variable of this name.
  package func hasVariable(_ name: String) -> Bool {
    guard let bytes = SmallFile.read("/proc/\(processID)/environ", limit: 4 << 20) else {
      return false
    }
    let prefix = Array("\(name)=".utf8)
    return bytes.split(separator: 0).contains { $0.starts(with: prefix) }
  }
}
