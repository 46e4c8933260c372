import Foundation
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinMeters

/// A simulated Monsoon (hardware/virtual-bench/gadgets/monsoon.c), plugged in while this lives.
final class MonsoonGadget: Sendable {
  static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"] ?? ""
  static let isPossible: Bool = {
    let isPossible =
      FileManager.default.fileExists(atPath: "/sys/class/udc/dummy_udc.0")
      && FileManager.default.isExecutableFile(atPath: "\(programs)/raw-gadget")
    if !isPossible { print("Monsoon skipped: no dummy_udc.0, or no emulators in KELVIN_GADGETS") }
    return isPossible
  }()

  private let process = Process()
  private let output = Pipe()
  private let seen = Mutex("")

  /// - Parameter words: such as `model=lv,drop=3000:40`.
  init(_ words: String = "") throws {
    try #require(Self.wait { Self.device == nil })
    process.executableURL = URL(fileURLWithPath: "\(Self.programs)/raw-gadget")
    process.arguments = ["monsoon", "--speed", "full", "--serial", "MON1", "--with", words]
    process.standardOutput = output
    try process.run()
    // Until udev has named it, and the kernel's HID driver has taken it.
    try #require(
      Self.wait {
        guard let device = Self.device, device.activeConfiguration != nil else { return false }
        let interface = "\(device.syspath)/\(device.name):1.0/driver"
        return FileManager.default.fileExists(atPath: interface) && Self.isNamed
      }, "the emulated device did not appear")
  }

  deinit { unplug() }

  func unplug() {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  static var device: USBDeviceInfo? { USBDeviceInfo.all().first { $0.vendorID == 0x2ab9 } }

  /// Whether the kernel's HID driver has it.
  static var isWithHID: Bool {
    guard let device else { return false }
    return SmallFile.realPath("\(device.syspath)/\(device.name):1.0/driver")?.hasSuffix("usbhid")
      == true
  }

  private static var isNamed: Bool {
    guard let context = try? UDevContext() else { return false }
    return context.devices(.usbDevice).contains {
      $0.serialNumber == "MON1" && $0.isInitialized
    }
  }

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

  /// What it was set to, in this order: `41 3879731`.
  var settings: [String] {
    record.compactMap { $0.hasPrefix("set ") ? String($0.dropFirst(4)) : nil }
  }

  /// Whether it was set to these last, in this order; it says so a moment after it has taken them.
  func isSet(_ expected: String..., seconds: Double = 10) -> Bool {
    let deadline = Deadline.after(seconds: seconds)
    while settings.suffix(expected.count) != expected[...] {
      guard !deadline.hasPassed else { return false }
      _ = deadline.limited(toSeconds: 0.02).wait()
    }
    return true
  }

  static func open(_ options: [String: Value] = [:]) async throws -> any Meter {
    var all: [String: Value] = ["settle": .number(0.01)]
    all.merge(options) { $1 }
    return try await MonsoonDriver().open(
      name: "m", options: all, through: LocalConnection(), until: .after(seconds: 30))
  }
}

/// Keeps what was delivered together.
final class GroupedSink: BlockSink {
  let inner = CollectingSink()
  private let state = Mutex<[[SampleBlock]]>([])

  func take(_ blocks: [SampleBlock]) {
    state.withLock { $0.append(blocks) }
    inner.take(blocks)
  }
  func take(_ event: CaptureEvent) { inner.take(event) }

  var groups: [[SampleBlock]] { state.withLock { $0 } }
}
