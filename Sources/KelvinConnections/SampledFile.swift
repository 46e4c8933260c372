internal import CLinux
internal import Glibc
internal import KelvinModel

/// An open file that holds a number, read again and again at offset 0. Owned by one thread.
package struct SampledFile: ~Copyable {
  private let path: String
  private let channel: UInt16
  private var descriptor: Int32 = -1
  /// Monotonic nanoseconds before which a file that could not be read is not opened again.
  private var nextOpen: Int64 = 0

  /// Opens the file; one that is not there now may come later.
  package init(path: String, channel: UInt16) {
    self.path = path
    self.channel = channel
    descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Reads the number now: two system calls at most, nothing allocated.
  ///
  /// - Parameter buffer: scratch; what does not fit is not looked at.
  package mutating func sample(_ buffer: UnsafeMutableRawBufferPointer) -> Sample {
    if descriptor < 0 { reopen() }
    let count = descriptor < 0 ? -1 : pread(descriptor, buffer.baseAddress, buffer.count, 0)
    let failure = errno
    let time = MonotonicTime.now.nanoseconds
    guard count >= 0 else {
      if descriptor >= 0, failure == ENODEV || failure == ENXIO || failure == ESTALE {
        forget(time)
      }
      return Sample(
        nanoseconds: time, mantissa: Int64(descriptor < 0 ? ENOENT : failure), channel: channel,
        status: .unreadable)
    }
    var number = DecimalNumber()
    guard number.parse(UnsafeRawBufferPointer(buffer), count: count) else {
      return Sample(nanoseconds: time, mantissa: 0, channel: channel, status: .notNumber)
    }
    return Sample(
      nanoseconds: time, mantissa: number.mantissa, channel: channel, decimals: number.decimals)
  }

  /// The device behind the file has gone; a new one under this path is another file.
  private mutating func forget(_ time: Int64) {
    close(descriptor)
    descriptor = -1
    nextOpen = time + 1_000_000_000
  }

  /// At most once a second.
  private mutating func reopen() {
    let time = MonotonicTime.now.nanoseconds
    guard time >= nextOpen else { return }
    descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    if descriptor < 0 { nextOpen = time + 1_000_000_000 }
  }
}

/// A decimal number as text, without rounding.
struct DecimalNumber {
  private(set) var mantissa: Int64 = 0
  private(set) var decimals: UInt8 = 0

  /// Reads an optional sign, digits, and optionally a point and more digits, after blanks; what
  /// follows is left alone.
  ///
  /// - Returns: false when there is no digit, or the number does not fit 64 bits.
  @inline(__always)
  mutating func parse(_ bytes: UnsafeRawBufferPointer, count: Int) -> Bool {
    var index = 0
    while index < count, bytes[index] == 32 || bytes[index] == 9 { index &+= 1 }
    guard index < count else { return false }
    let isNegative = bytes[index] == 45
    if isNegative || bytes[index] == 43 { index &+= 1 }
    let firstDigit = index
    var value: Int64 = 0
    while index < count {
      let digit = Int64(bytes[index]) &- 48
      guard digit >= 0, digit <= 9 else { break }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(digit)
      if overflow || carry { return false }
      value = sum
      index &+= 1
    }
    guard index > firstDigit else { return false }
    if index < count, bytes[index] == 46 {
      index &+= 1
      while index < count, decimals < 15 {
        let digit = Int64(bytes[index]) &- 48
        guard digit >= 0, digit <= 9 else { break }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(digit)
        // Further digits are beyond what 64 bits can tell.
        if overflow || carry { break }
        value = sum
        decimals &+= 1
        index &+= 1
      }
    }
    mantissa = isNegative ? 0 &- value : value
    return true
  }
}
