internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An IIO device of this machine.
final class IIOMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  private let selection: IIOSelection
  private let files: IIOFiles
  private let state: Mutex<State>

  private struct State {
    var rate: Double?
    var capture: IIOCapture?
    var last = CaptureSummary(samples: [])
  }

  /// Reads what the device is set to; changes nothing.
  init(
    name: String, device: IIODevice, options: IIOOptions, files: IIOFiles
  ) throws(MeterFailure) {
    let rate = options.changesRate ? options.rate : IIOStart.rate(of: device, files)
    selection = try IIOSelection(device, options, name: name, samplesPerSecond: rate)
    channels = selection.channels
    self.files = files
    identity = MeterIdentity(
      name: name, driver: "iio", model: device.name,
      location: [device.id, device.parent].filter { !$0.isEmpty }.joined(separator: " "),
      range: device.range(options), verified: IIODriver.verified)
    state = Mutex(State(rate: rate))
  }

  deinit { state.withLock { $0.capture }?.end() }

  var rate: Double? { state.withLock { $0.rate } }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let start = try IIOStart(identity.name, selection, files, until: deadline)
    let capture = try IIOCapture(start, into: sink)
    state.withLock {
      $0.capture = capture
      $0.rate = start.rate ?? $0.rate
    }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    let summary = capture.end()
    state.withLock {
      $0.capture = nil
      $0.last = summary
    }
    return summary
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let device = selection.device
    var properties = [
      MeterProperty("device", "\(device.id) \(device.name)"),
      MeterProperty("channels", selection.chosen.map(\.id).joined(separator: ", "))
    ]
    let names = [
      "trigger/current_trigger", "sampling_frequency", "in_sampling_frequency",
      "in_oversampling_ratio", "in_shunt_resistor", "current_timestamp_clock", "buffer/enable"
    ]
    for name in names {
      if let value = try? files.read(IIOAttribute(device.id, name), until: deadline) {
        properties.append(MeterProperty(name, value.isEmpty ? "none" : value))
      }
    }
    return properties
  }

  func close() async { _ = await stop(until: .never) }
}

extension IIOOptions {
  /// Whether the rate at the start is another than now.
  var changesRate: Bool { rate != nil || oversampling != nil || integrationTime != nil }
}

extension IIODevice {
  /// What its figures depend on: those of two shunts share no gain error.
  func range(_ options: IIOOptions) -> String {
    (options.shunt ?? shunt).map { "shunt \($0) ohm" } ?? ""
  }
}
