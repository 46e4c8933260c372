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
  private let gadget: RawGadget

  /// - Parameter words: such as `model=lv,drop=3000:40`.
  init(_ words: String = "") throws {
    gadget = try RawGadget(
      ["monsoon", "--speed", "full", "--with", words], serial: "MON1", device: { Self.device },
      // The kernel's HID driver has taken it.
      isReady: { device in
        FileManager.default.fileExists(atPath: "\(device.syspath)/\(device.name):1.0/driver")
      })
  }

  func unplug() { gadget.unplug() }

  static var device: USBDeviceInfo? { USBDeviceInfo.all().first { $0.vendorID == 0x2ab9 } }

  /// Whether the kernel's HID driver has it.
  static var isWithHID: Bool {
    guard let device else { return false }
    return SmallFile.realPath("\(device.syspath)/\(device.name):1.0/driver")?.hasSuffix("usbhid")
      == true
  }

  var record: [String] { gadget.record }

  /// What it was set to, in this order: `41 3879731`.
  var settings: [String] {
    record.compactMap { $0.hasPrefix("set ") ? String($0.dropFirst(4)) : nil }
  }

  /// Whether it was set to these last, in this order; it says so a moment after it has taken them.
  func isSet(_ expected: String...) -> Bool {
    RawGadget.wait { settings.suffix(expected.count) == expected[...] }
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
