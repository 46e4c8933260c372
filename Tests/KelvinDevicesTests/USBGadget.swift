import Foundation
import KelvinDevices
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

/// Whether this machine can emulate USB devices: a guest of the virtual bench.
enum USBBench {
  static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"]

  static let missing: String? = {
    guard FileManager.default.fileExists(atPath: "/sys/class/udc/dummy_udc.0") else {
      return "no emulated USB controller here (dummy_udc.0); these run in the bench host"
    }
    guard let programs, FileManager.default.isExecutableFile(atPath: "\(programs)/raw-gadget")
    else { return "KELVIN_GADGETS names no directory with the emulators" }
    return nil
  }()

  /// For `.enabled(if:)`; says once why not.
  static let isThere: Bool = {
    if let missing { print("USB tests skipped: \(missing)") }
    return missing == nil
  }()

  /// Ample: a guest without KVM is slow, and several may run.
  static var deadline: Deadline { .after(seconds: 10) }

  /// Looks again until there is something, or the deadline has passed.
  static func wait<Result>(
    until deadline: Deadline = deadline, for find: () throws -> Result?
  ) rethrows -> Result? {
    while true {
      if let found = try find() { return found }
      if deadline.hasPassed { return nil }
      _ = deadline.limited(toSeconds: 0.002).wait()
    }
  }

  /// What is plugged into the n-th emulated controller.
  static func device(at controller: Int) -> USBDeviceInfo? {
    USBDeviceInfo.all().first {
      $0.syspath.contains("/dummy_hcd.\(controller)/") && !$0.portPath.isEmpty
        && $0.activeConfiguration != nil
    }
  }

  /// The kernel's words and its own functions, by hardware/virtual-bench/gadgets/configfs.sh.
  static func shell(_ words: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-ec", ". \(programs ?? "")/configfs.sh; \(words)"]
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus != 0 {
      throw PlainFailure(.infrastructure, "'\(words)' exits with \(process.terminationStatus)")
    }
  }
}

/// An emulated device, plugged in while this lives.
final class USBGadget: Sendable {
  let info: USBDeviceInfo
  let controller: Int
  private let process: Process
  private let output: Pipe
  private let lines = Mutex<[UInt8]>([])

  /// Starts raw-gadget, and waits until the kernel has set the device up.
  init(_ words: String..., controller: Int = 0, serial: String = "VB0001") throws {
    self.controller = controller
    process = Process()
    output = Pipe()
    process.executableURL = URL(fileURLWithPath: "\(USBBench.programs ?? "")/raw-gadget")
    process.arguments = words + ["--udc", "dummy_udc.\(controller)", "--serial", serial]
    process.standardOutput = output
    // The one before may be on its way out.
    try #require(USBBench.wait { USBBench.device(at: controller) == nil ? true : nil } != nil)
    try process.run()
    guard let info = USBBench.wait(for: { USBBench.device(at: controller) }) else {
      kill(process.processIdentifier, SIGKILL)
      throw PlainFailure(.infrastructure, "the emulated device did not appear")
    }
    self.info = info
  }

  deinit { unplug() }

  /// From one moment to the next, as when a cable is pulled.
  func unplug() {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// The device stays there and answers nothing more.
  func freeze() { kill(process.processIdentifier, SIGSTOP) }

  /// Waits until it has reported this line: the truth about what it did.
  func reports(_ line: String) -> Bool {
    let descriptor = output.fileHandleForReading.fileDescriptor
    let deadline = USBBench.deadline
    while true {
      let text = lines.withLock { String(decoding: $0, as: UTF8.self) }
      if text.split(separator: "\n").contains(Substring(line)) { return true }
      guard deadline.wait(for: descriptor) == .ready else { return false }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return false }
      lines.withLock { $0 += buffer[..<count] }
    }
  }
}

/// The requests of the virtual instrument.
enum Instrument {
  static func readRegister(_ index: UInt16) -> USBControlSetup {
    USBControlSetup(0xc0, 0x01, index: index)
  }
  static func writeRegister(_ index: UInt16) -> USBControlSetup {
    USBControlSetup(0x40, 0x02, index: index)
  }
  static func startStream(bytes: UInt16, blocks: UInt16) -> USBControlSetup {
    USBControlSetup(0x40, 0x03, value: bytes, index: blocks)
  }
  static let stopStream = USBControlSetup(0x40, 0x04)
  static func halt(_ endpoint: UInt8) -> USBControlSetup {
    USBControlSetup(0x40, 0x05, index: UInt16(endpoint))
  }
  static func answerLate(milliseconds: UInt16) -> USBControlSetup {
    USBControlSetup(0xc0, 0x07, value: milliseconds)
  }
  static func events(everyMilliseconds: UInt16) -> USBControlSetup {
    USBControlSetup(0x40, 0x08, value: everyMilliseconds)
  }
  static let longAnswer = USBControlSetup(0xc0, 0x09)
  static let longOrder = USBControlSetup(0x40, 0x0a)
  static let unknown = USBControlSetup(0xc0, 0x55)
}
