import Foundation
import KelvinDevices
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

/// A device that hardware/virtual-bench/gadgets/raw-gadget plays, plugged in while this lives.
final class RawGadget: Sendable {
  private static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"] ?? ""
  static let isPossible =
    FileManager.default.fileExists(atPath: "/sys/class/udc/dummy_udc.0")
    && FileManager.default.isExecutableFile(atPath: "\(programs)/raw-gadget")

  private let process = Process()
  private let output = Pipe()
  private let seen = Mutex("")

  /// Plugs it in, and waits until udev has named it.
  ///
  /// - Parameters:
  ///   - arguments: of the program, but for the serial number.
  ///   - device: finds it; none such is plugged in before.
  ///   - isReady: what else must be so.
  init(
    _ arguments: [String], serial: String, device: () -> USBDeviceInfo?,
    isReady: (USBDeviceInfo) -> Bool = { _ in true }
  ) throws {
    try #require(Self.wait { device() == nil })
    process.executableURL = URL(fileURLWithPath: "\(Self.programs)/raw-gadget")
    process.arguments = arguments + ["--serial", serial]
    process.standardOutput = output
    try process.run()
    try #require(
      Self.wait {
        guard let device = device(), device.activeConfiguration != nil, isReady(device),
          let context = try? UDevContext()
        else { return false }
        return context.devices(.usbDevice).contains {
          $0.serialNumber == serial && $0.isInitialized
        }
      }, "the emulated device did not appear")
  }

  deinit { unplug() }

  func unplug() {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// It stays there and answers nothing more.
  func freeze() { kill(process.processIdentifier, SIGSTOP) }

  /// A slow guest takes its time.
  static func wait(_ isSo: () -> Bool) -> Bool {
    let deadline = Deadline.after(seconds: 30)
    while !isSo() {
      if deadline.hasPassed { return false }
      _ = deadline.limited(toSeconds: 0.005).wait()
    }
    return true
  }

  /// All that it has reported so far, line by line: the truth about what it was told.
  var record: [String] {
    let descriptor = output.fileHandleForReading.fileDescriptor
    while Deadline.after(seconds: 0).wait(for: descriptor) == .ready {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      seen.withLock { $0 += String(decoding: buffer[..<count], as: UTF8.self) }
    }
    return seen.withLock { $0 }.split(separator: "\n").map(String.init)
  }
}
