internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// A GPIO chip of this host, open by its character device (linux/gpio.h, version 2, since 5.10).
package struct GPIOChip: Sendable {
  /// Its name in bench files: label, name or path.
  package let title: String
  /// What its driver calls it; unlike the name it stays the same at the next boot.
  package let label: String
  package let path: String
  let lineCount: UInt32
  private let descriptor: SharedDescriptor

  /// Looks for a chip.
  ///
  /// - Parameters:
  ///   - title: its label, its name (gpiochip0) or its path.
  ///   - dev: where device nodes are.
  /// - Throws: `absent`, with what is there; `ambiguous`; `notPermitted`.
  package init(_ title: String, dev: String = "/dev") throws(DeviceFailure) {
    var found: GPIOChip?
    var labels: [String] = []
    var denied: String?
    for name in SmallFile.names(in: dev) where name.hasPrefix("gpiochip") {
      let path = dev + "/" + name
      let descriptor = kelvin_open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
      guard descriptor >= 0 else {
        if errno == EACCES { denied = path }
        continue
      }
      let open = SharedDescriptor(descriptor)
      var info = kelvin_gpio_chip()
      guard kelvin_gpio_chip(descriptor, &info) == 0 else { continue }
      let label = GPIOChip.text(of: info.label)
      labels.append(label)
      guard [label, GPIOChip.text(of: info.name), path].contains(title) else { continue }
      guard found == nil else {
        throw DeviceFailure(
          .ambiguous, "two GPIO chips are called '\(title)'", hint: "name one by its path")
      }
      found = GPIOChip(title, label, path, info.lines, open)
    }
    if let found {
      self = found
    } else if let denied {
      throw DeviceFailure(
        .notPermitted, "\(denied): permission denied",
        hint: "run 'kelvin bench udev --install' or join group gpio")
    } else {
      throw DeviceFailure(
        .absent, "no GPIO chip is called '\(title)'",
        hint: labels.isEmpty
          ? "this host has none" : NearestName.hint(for: title, in: Array(Set(labels)).sorted()))
    }
  }

  private init(
    _ title: String, _ label: String, _ path: String, _ lineCount: UInt32,
    _ descriptor: SharedDescriptor
  ) {
    self.title = title
    self.label = label
    self.path = path
    self.lineCount = lineCount
    self.descriptor = descriptor
  }

  /// What leads to this chip, and to no other, at the next boot too where that can be: its label, else
  /// its path.
  package var identity: String {
    (try? GPIOChip(label)) == nil ? path : label
  }

  /// Where a line is on the chip.
  ///
  /// - Parameter line: its number, or its name.
  /// - Throws: `absent`.
  package func offset(of line: String) throws(DeviceFailure) -> UInt32 {
    if let number = UInt32(line) {
      guard number < lineCount else {
        throw DeviceFailure(
          .absent, "'\(title)' has lines 0 to \(Int(lineCount) - 1), not \(number)")
      }
      return number
    }
    var names: [String] = []
    for offset in 0..<lineCount {
      var info = kelvin_gpio_line()
      guard kelvin_gpio_line(descriptor.value, offset, &info) == 0 else { continue }
      let name = GPIOChip.text(of: info.name)
      if name == line { return offset }
      if !name.isEmpty { names.append(name) }
    }
    throw DeviceFailure(
      .absent, "'\(title)' has no line called '\(line)'",
      hint: NearestName.hint(for: line, in: names))
  }

  /// Takes a line as it is, direction and level unchanged, for as long as the result lives.
  ///
  /// - Parameter consumer: what others see as its user; the kernel keeps 31 bytes.
  /// - Throws: `busy`, naming who holds it.
  package func take(_ offset: UInt32, as consumer: String) throws(DeviceFailure) -> GPIOLine {
    let line = kelvin_gpio_request(descriptor.value, offset, -1, consumer)
    guard line < 0 else { return GPIOLine(SharedDescriptor(line)) }
    let error = Errno.current
    var info = kelvin_gpio_line()
    if error.rawValue == EBUSY, kelvin_gpio_line(descriptor.value, offset, &info) == 0 {
      let holder = GPIOChip.text(of: info.consumer)
      let other = OtherOwner(consumer: holder)
      throw DeviceFailure(
        .busy, "is held by '\(holder)'", hint: other?.hint ?? "free it, or choose another line")
    }
    throw DeviceFailure(.vanished, "\(error)")
  }

  /// A C string in an array.
  private static func text<T>(of field: T) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

/// A line that this process holds.
package struct GPIOLine: Sendable {
  private let held: SharedDescriptor

  fileprivate init(_ held: SharedDescriptor) { self.held = held }

  /// Gets an error condition when the chip goes, on kernels that tell.
  var descriptor: Int32 { held.value }

  /// The physical level.
  package func level() throws(Errno) -> Bool {
    let level = kelvin_gpio_get(held.value)
    guard level >= 0 else { throw .current }
    return level == 1
  }

  /// Makes it an output with this physical level in one step, whatever it was.
  package func set(_ level: Bool) throws(Errno) {
    guard kelvin_gpio_set(held.value, level ? 1 : 0) == 0 else { throw .current }
  }
}

/// A descriptor that closes with its last reference.
private final class SharedDescriptor: Sendable {
  let value: Int32
  init(_ value: Int32) { self.value = value }
  deinit { close(value) }
}
