import CLinux
import Glibc

/// What /proc says of one process (proc(5), /proc/PID/stat).
struct ProcessEntry: Hashable, Sendable {
  let identity: ProcessIdentity
  let parent: Int32
  let group: Int32
  let session: Int32
  let state: UInt8

  var processID: Int32 { identity.processID }

  /// Whether it has ended and only waits for its parent.
  var isZombie: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

  /// Reads one line of /proc/PID/stat.
  ///
  /// The second field, the command's name, is any bytes in parentheses, line feeds and `) `
  /// included; nothing after it holds a parenthesis, so that the last one ends it.
  init?(stat: UnsafeRawBufferPointer) {
    guard let open = stat.firstIndex(of: UInt8(ascii: "(")),
      let close = stat.lastIndex(of: UInt8(ascii: ")")), close > open,
      close + 2 < stat.count
    else { return nil }
    var numbers = NumberScanner(UnsafeRawBufferPointer(rebasing: stat[..<open]))
    guard let pid = numbers.next() else { return nil }
    state = stat[close + 2]
    numbers = NumberScanner(UnsafeRawBufferPointer(rebasing: stat[(close + 3)...]))
    guard let parent = numbers.next(), let group = numbers.next(), let session = numbers.next()
    else { return nil }
    // Fields 7 to 21 lie between the session and the start time.
    for _ in 7...21 { guard numbers.next() != nil else { return nil } }
    guard let ticks = numbers.next(), ticks >= 0,
      let pid = Int32(exactly: pid), let parent = Int32(exactly: parent),
      let group = Int32(exactly: group), let session = Int32(exactly: session)
    else { return nil }
    identity = ProcessIdentity(processID: pid, startTicks: UInt64(ticks))
    self.parent = parent
    self.group = group
    self.session = session
  }

  /// Reads blank-separated decimal integers; stops at what is none or overflows.
  private struct NumberScanner {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func next() -> Int64? {
      while index < bytes.count, bytes[index] == UInt8(ascii: " ") { index += 1 }
      let isNegative = index < bytes.count && bytes[index] == UInt8(ascii: "-")
      if isNegative { index += 1 }
      var value: UInt64 = 0
      let first = index
      while index < bytes.count, case let digit = bytes[index] &- 48, digit < 10 {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        if overflow || carry { return nil }
        value = sum
        index += 1
      }
      guard index > first else { return nil }
      // Some fields are unsigned longs (rsslim) beyond Int64; they are only skipped.
      let magnitude = Int64(clamping: value)
      return isNegative ? -magnitude : magnitude
    }
  }
}

/// Reads this machine's /proc.
enum ProcessTable {
  /// One process; nil when it is gone.
  static func entry(of processID: Int32) -> ProcessEntry? {
    withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 1) { buffer in
      let count = read(processID, "/stat", into: buffer)
      guard count > 0 else { return nil }
      return ProcessEntry(stat: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }

  /// All processes that can be seen, in no order.
  static func entries() -> [ProcessEntry] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var entries: [ProcessEntry] = []
    entries.reserveCapacity(256)
    while let record = readdir(directory) {
      let pid = withUnsafeBytes(of: &record.pointee.d_name) { name -> Int32 in
        var value: Int32 = 0
        for byte in name {
          if byte == 0 { break }
          guard byte &- 48 < 10, value < 200_000_000 else { return 0 }
          value = value * 10 + Int32(byte - 48)
        }
        return value
      }
      if pid > 0, let entry = entry(of: pid) { entries.append(entry) }
    }
    return entries
  }

  /// Whether the environment that a process was started with holds exactly `variable`
  /// (`NAME=value`). False for zombies, kernel threads, and what may not be read.
  static func environment(of processID: Int32, contains variable: String) -> Bool {
    environment(of: processID) { environment in
      var needle = Array(variable.utf8)
      needle.insert(0, at: 0)
      needle.append(0)
      return kelvin_find(environment.baseAddress, environment.count, needle, needle.count) != nil
    }
  }

  /// Whether the environment that a process was started with has a variable of this name.
  static func environment(of processID: Int32, hasVariable name: String) -> Bool {
    environment(of: processID) { environment in
      var needle = Array(name.utf8)
      needle.insert(0, at: 0)
      needle.append(UInt8(ascii: "="))
      return kelvin_find(environment.baseAddress, environment.count, needle, needle.count) != nil
    }
  }

  /// Calls `body` with the environment, every variable between two NULs.
  private static func environment(
    of processID: Int32, _ body: (UnsafeRawBufferPointer) -> Bool
  ) -> Bool {
    var capacity = 16_384
    while true {
      let answer: Bool? = withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 1) {
        buffer in
        buffer[0] = 0
        let count = read(
          processID, "/environ", into: UnsafeMutableRawBufferPointer(rebasing: buffer[1...]))
        if count <= 0 { return false }
        // Full: there may be more.
        if count == capacity - 1, capacity < 4 << 20 { return nil }
        return body(UnsafeRawBufferPointer(rebasing: buffer[..<(count + 1)]))
      }
      if let answer { return answer }
      capacity *= 4
    }
  }

  /// Reads /proc/PID/`name` until the end or until the buffer is full; -1 when it cannot be read.
  private static func read(
    _ processID: Int32, _ name: StaticString, into buffer: UnsafeMutableRawBufferPointer
  ) -> Int {
    let descriptor = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { path in
      var end = 0
      func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        for byte in bytes {
          path[end] = CChar(bitPattern: byte)
          end += 1
        }
      }
      ("/proc/" as StaticString).withUTF8Buffer(append)
      var divisor: Int32 = 1_000_000_000
      while divisor > 1, processID / divisor == 0 { divisor /= 10 }
      while divisor > 0 {
        path[end] = CChar(48 + processID / divisor % 10)
        end += 1
        divisor /= 10
      }
      name.withUTF8Buffer(append)
      path[end] = 0
      return path.baseAddress.map { kelvin_open($0, O_RDONLY | O_CLOEXEC, 0) } ?? -1
    }
    guard descriptor >= 0 else { return -1 }
    defer { close(descriptor) }
    var count = 0
    while count < buffer.count, let base = buffer.baseAddress {
      let result = retrying { Glibc.read(descriptor, base + count, buffer.count - count) }
      if result < 0 { return -1 }
      if result == 0 { break }
      count += result
    }
    return count
  }
}
