import Foundation
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// A simulated POWER-Z (hardware/virtual-bench/gadgets/km003c.c), plugged in while this lives.
final class KM003CGadget: Sendable {
  private let gadget: RawGadget

  /// - Parameter words: such as `late=200,lose=300:25`.
  init(_ words: String = "", model: String = "km003c") throws {
    gadget = try RawGadget(
      [model, "--speed", "full", "--with", words], serial: "PZ1", device: { Self.device })
  }

  func unplug() { gadget.unplug() }
  func freeze() { gadget.freeze() }
  var record: [String] { gadget.record }

  static var device: USBDeviceInfo? { USBDeviceInfo.all().first { $0.vendorID == 0x5fc9 } }

  /// The driver of the kernel that has its interface.
  static var kernelDriver: String? {
    guard let device else { return nil }
    return SmallFile.realPath("\(device.syspath)/\(device.name):1.0/driver")?
      .split(separator: "/").last.map(String.init)
  }

  static func open(_ options: [String: Value] = [:]) async throws -> any Meter {
    try await KM003CDriver().open(
      name: "m", options: options, through: LocalConnection(), until: .after(seconds: 30))
  }
}
