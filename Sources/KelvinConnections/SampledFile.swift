internal import CLinux
internal import Glibc
internal import KelvinModel

/// An open file that holds a number, read again and again at offset 0. Owned by one thread.
package struct SampledFile: ~Copyable {
  private let path: String
  private let channel: UInt16
  private var descriptor: Int32 = -1
  /// Why it is not open.
  private var failure: Int32 = 0
  /// Monotonic nanoseconds of the next look after the file itself: whether it was unlinked, or
  /// whether it can be opened now. Once a second.
  private var nextLook: Int64 = 0

  /// Opens the file; one that is not there now may come later.
  package init(path: String, channel: UInt16) {
    self.path = path
    self.channel = channel
    open()
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Reads the number now: one read, and one look after the file each second; nothing allocated.
  ///
  /// - Parameter buffer: scratch; what does not fit is not looked at.
  package mutating func sample(_ buffer: UnsafeMutableRawBufferPointer) -> Sample {
    var count = -1
    if descriptor >= 0 {
      count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
      if count < 0 { failure = errno }
    }
    let time = MonotonicTime.now.nanoseconds
    if time >= nextLook { look(time) }
    guard count >= 0 else {
      return Sample(
        nanoseconds: time, mantissa: Int64(failure), channel: channel, status: .unreadable)
    }
    var number = DecimalNumber()
    guard number.parse(UnsafeRawBufferPointer(buffer), count: count) else {
      return Sample(nanoseconds: time, mantissa: 0, channel: channel, status: .notNumber)
    }
    return Sample(
      nanoseconds: time, mantissa: number.mantissa, channel: channel, decimals: number.decimals)
  }

  private mutating func open() {
    descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    failure = descriptor < 0 ? errno : 0
  }

  /// Lets go of a file that is gone, and tries to open one that is not open: a new file under this
  /// path is sampled from then on.
  private mutating func look(_ time: Int64) {
    nextLook = time &+ 1_000_000_000
    if descriptor >= 0 {
      // A removed attribute of the kernel answers ENODEV, a file of an ended process ESRCH; a
      // removed file of a disk still gives what it held.
      var status = stat()
      let isGone =
        failure == ENODEV || failure == ENXIO || failure == ESTALE || failure == ESRCH
        || (fstat(descriptor, &status) == 0 && status.st_nlink == 0)
      guard isGone else { return }
      close(descriptor)
    }
    open()
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
