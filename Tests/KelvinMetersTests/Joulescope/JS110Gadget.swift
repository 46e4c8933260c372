import KelvinConnections
import KelvinDevices
import KelvinModel

@testable import KelvinMeters

/// A simulated JS110 (hardware/virtual-bench/gadgets/joulescope.c), plugged in while this lives.
final class JS110Gadget: Sendable {
  private let gadget: RawGadget
  /// Samples a second that it sends: what an emulated machine can take.
  static let rate = 40_000

  /// - Parameter words: such as `lose=300:40`.
  init(_ words: String = "") throws {
    let all = "rate=\(Self.rate)" + (words.isEmpty ? "" : "," + words)
    gadget = try RawGadget(
      ["joulescope", "--with", all], serial: "JS1",
      device: { Self.device })
  }

  static var device: USBDeviceInfo? {
    USBDeviceInfo.all().first { $0.vendorID == 0x16d0 && $0.productID == 0x0e88 }
  }

  func unplug() { gadget.unplug() }
  func freeze() { gadget.freeze() }

  var record: [String] { gadget.record }

  /// What it was set to, in this order: power, range of current, source, options, streaming.
  var settings: [String] {
    record.compactMap { $0.hasPrefix("set ") ? String($0.dropFirst(4)) : nil }
  }

  /// Whether it was set to this last; it says so a moment after it has taken it.
  func isSet(_ expected: String) -> Bool { RawGadget.wait { settings.last == expected } }

  static func open(_ options: [String: Value] = [:]) async throws -> any Meter {
    try await JS110Driver().open(
      name: "m", options: options, through: LocalConnection(), until: .after(seconds: 20))
  }
}
