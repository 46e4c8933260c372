internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Attributes of this machine's IIO devices, one system call after the other.
struct IIOFiles: IIOAttributes {
  /// Stands for `/`; empty for the machine's own.
  let root: String

  func read(_ attribute: IIOAttribute, until deadline: Deadline) throws(MeterFailure) -> String {
    try read(path(of: attribute), as: attribute.description)
  }

  func read(_ path: String, as what: String) throws(MeterFailure) -> String {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw MeterFailure(iio: .current, what) }
    defer { close(descriptor) }
    // An attribute is a page at most (Linux, Documentation/filesystems/sysfs.rst).
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    guard count >= 0 else { throw MeterFailure(iio: .current, what) }
    return String(decoding: buffer[..<count], as: UTF8.self).trimmed
  }

  func write(
    _ value: String, to attribute: IIOAttribute, until deadline: Deadline
  ) throws(MeterFailure) {
    do throws(Errno) {
      try SmallFile.write(value, to: path(of: attribute))
    } catch {
      throw MeterFailure(iio: error, attribute.description, writing: value.trimmed)
    }
  }

  private func path(of attribute: IIOAttribute) -> String {
    directory(attribute.device) + "/" + attribute.file
  }

  /// Of a device or a trigger.
  func directory(_ device: String) -> String { root + IIOSysfs.top + "/" + device }

  /// Of the triggers there are, by name.
  func triggers() -> [String: String] {
    var found: [String: String] = [:]
    for id in SmallFile.names(in: root + IIOSysfs.top) where id.hasPrefix("trigger") {
      if let name = SmallFile.text(directory(id) + "/name"), !name.isEmpty { found[name] = id }
    }
    return found
  }
}

extension IIOAttribute {
  /// Below the device's directory.
  fileprivate var file: String {
    guard let channel else { return name }
    if let file = channel.attributes[name] { return file }
    let list = "_available"
    if name.hasSuffix(list), let file = channel.attributes[String(name.dropLast(list.count))] {
      return file + list
    }
    return (channel.isOutput ? "out_" : "in_") + channel.id + "_" + name
  }
}
