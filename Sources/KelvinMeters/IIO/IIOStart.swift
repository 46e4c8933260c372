internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A device of this machine that has been brought to where its buffer can be enabled, and what has to
/// be undone afterwards.
final class IIOStart: Sendable {
  let name: String
  let device: IIODevice
  let plan: IIOScanStream.Plan
  let clock: IIOClock
  /// Samples a second, as the device or its trigger says.
  let rate: Double?
  /// Scans that the kernel keeps.
  let length: Int
  /// Scans that are there before a reader is woken; 1 where the kernel has no such setting.
  let watermark: Int
  /// Of the character device, non-blocking.
  let descriptor: Int32
  let files: IIOFiles
  /// Handed over to the thread that captures.
  let undo: IIOUndo

  /// Opens the device and sets it up; on failure everything is put back.
  init(
    _ name: String, _ selection: IIOSelection, _ files: IIOFiles, until deadline: Deadline
  ) throws(MeterFailure) {
    let device = selection.device
    let path = files.root + "/dev/" + device.id
    // The kernel lets one process have it.
    let descriptor = kelvin_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw MeterFailure(iio: .current, path) }
    var work = Work(selection: selection, files: files, setup: IIOSetup(files), deadline: deadline)
    do throws(MeterFailure) {
      try work.prepare()
      guard let plan = selection.plan(elements: work.elements, period: work.rate.map { 1e9 / $0 })
      else {
        throw MeterFailure(.malfunction, "\(name): a scan without the channels that were enabled")
      }
      guard plan.timestamp != nil || plan.period != nil else {
        throw MeterFailure(
          .unsupported, "\(name): \(device.title) gives neither time stamps nor a rate",
          hint: "nobody could tell when its samples were taken; set 'trigger' to one with a rate")
      }
      self.plan = plan
    } catch {
      close(descriptor)
      let undo = IIOUndo(work.setup, work.trigger)
      let left = undo.run()
      throw left.isEmpty
        ? error
        : MeterFailure(
          error.code, error.message, evidence: "not put back: " + left.joined(separator: "; "),
          hint: error.hint)
    }
    self.name = name
    self.device = device
    self.files = files
    self.descriptor = descriptor
    clock = work.clock
    rate = work.rate
    length = work.length
    watermark = work.watermark
    undo = IIOUndo(work.setup, work.trigger)
  }

  deinit { close(descriptor) }

  /// Of a device, or of the trigger that it has.
  static func rate(of device: IIODevice, _ files: IIOFiles) -> Double? {
    // Who starts its samples decides.
    if let name = try? files.read(
      IIOAttribute(device.id, "trigger/current_trigger"), until: .never),
      let trigger = files.triggers()[name],
      let rate = rate(IIOAttribute(trigger, "sampling_frequency"), files)
    {
      return rate
    }
    for name in ["sampling_frequency", "in_sampling_frequency"] {
      if let rate = rate(IIOAttribute(device.id, name), files) { return rate }
    }
    for channel in device.elements where channel.attributes["sampling_frequency"] != nil {
      if let rate = rate(IIOAttribute(device.id, channel, "sampling_frequency"), files) {
        return rate
      }
    }
    return nil
  }

  private static func rate(_ attribute: IIOAttribute, _ files: IIOFiles) -> Double? {
    guard let text = try? files.read(attribute, until: .never),
      let rate = Double(text.prefix { $0 != " " }), rate > 0, rate.isFinite
    else { return nil }
    return rate
  }
}

/// What a capture leaves to be undone; once.
final class IIOUndo: Sendable {
  private let setup: Mutex<IIOSetup?>
  private let trigger: IIOOwnTrigger?

  init(_ setup: IIOSetup, _ trigger: IIOOwnTrigger?) {
    self.setup = Mutex(setup)
    self.trigger = trigger
  }

  /// - Returns: what could not be put back, and why.
  func run() -> [String] {
    guard var setup = setup.take() else { return [] }
    // These are this machine's files: nobody waits for them.
    let left = setup.restore(until: .never)
    return left + [trigger?.remove()].compactMap { $0 }
  }
}

/// The steps, in their order.
private struct Work {
  let selection: IIOSelection
  let files: IIOFiles
  var setup: IIOSetup
  let deadline: Deadline
  var trigger: IIOOwnTrigger?
  var elements: [IIOChannel] = []
  var rate: Double?
  var clock = IIOClock.foreign
  var length = 0
  var watermark = 1

  var device: IIODevice { selection.device }
  var options: IIOOptions { selection.options }

  mutating func prepare() throws(MeterFailure) {
    guard try read("buffer/enable") == "0" else {
      throw MeterFailure(
        .busy, "\(device.id): its buffer is enabled already",
        hint: "another program uses it, or ended without disabling it: then "
          + "'echo 0 > \(IIOSysfs.top)/\(device.id)/buffer/enable'")
    }
    try setup.apply(selection, until: deadline)
    try chooseTrigger()
    try chooseRate()
    chooseClock()
    try enableElements()
    try chooseBuffer()
    try selection.checkScales(files, until: deadline)
    try setup.set(IIOAttribute(device.id, "buffer/enable"), "1", until: deadline)
  }

  private func read(_ name: String) throws(MeterFailure) -> String {
    try files.read(IIOAttribute(device.id, name), until: deadline)
  }

  private mutating func chooseTrigger() throws(MeterFailure) {
    guard device.takesTrigger else {
      guard options.trigger == nil else {
        throw MeterFailure(.unsupported, "\(device.title): takes no trigger")
      }
      return
    }
    let attribute = IIOAttribute(device.id, "trigger/current_trigger")
    if let wanted = options.trigger {
      let names = files.triggers().keys.sorted()
      guard names.contains(wanted) else {
        throw MeterFailure(
          .notFound, "\(device.title): there is no trigger '\(wanted)'",
          hint: names.isEmpty ? "there is none" : "there are " + names.joined(separator: ", "))
      }
      try setup.set(attribute, wanted, until: deadline)
    } else if try read("trigger/current_trigger").isEmpty {
      let own = try IIOOwnTrigger.make(files, rate: options.rate ?? Self.usualRate)
      trigger = own
      if own.isTimer {
        // Ended with the trigger: nothing to put back.
        try files.write(
          IIOSetup.text(options.rate ?? Self.usualRate),
          to: IIOAttribute(own.id, "sampling_frequency"),
          until: deadline)
      } else {
        rate = options.rate ?? Self.usualRate
      }
      try setup.set(attribute, own.name, until: deadline)
    }
  }

  private static let usualRate = 100.0

  private mutating func chooseRate() throws(MeterFailure) {
    if let wanted = options.rate, trigger == nil {
      let id = device.takesTrigger ? files.triggers()[try read("trigger/current_trigger")] : nil
      let attribute = id.map { IIOAttribute($0, "sampling_frequency") }
      if let attribute, (try? files.read(attribute, until: deadline)) != nil {
        try setup.set(attribute, number: wanted, until: deadline)
      } else {
        try setup.setRate(wanted, selection, until: deadline)
      }
    }
    rate = rate ?? IIOStart.rate(of: device, files)
  }

  private mutating func chooseClock() {
    guard device.timestamp != nil else { return }
    let attribute = IIOAttribute(device.id, "current_timestamp_clock")
    // A clock that nobody sets; where it may not be chosen, the one there is will be mapped.
    let name =
      (try? setup.set(attribute, "monotonic", until: deadline))
      ?? (try? files.read(attribute, until: deadline))
    // Before 4.17 there was no choice: it was the wall clock.
    clock = IIOClock.named(name ?? "realtime")
  }

  private mutating func enableElements() throws(MeterFailure) {
    let wanted = selection.chosen + [device.timestamp].compactMap { $0 }
    for channel in device.channels where channel.element != nil && !channel.isOutput {
      let isWanted = wanted.contains(channel)
      let attribute = IIOAttribute(device.id, "scan_elements/in_\(channel.id)_en")
      let now = try setup.set(attribute, isWanted ? "1" : "0", until: deadline)
      guard now == (isWanted ? "1" : "0") else {
        throw MeterFailure(
          .malfunction, "\(attribute.description): stays '\(now)'",
          hint: isWanted ? "" : "capture all channels: the device does not take this choice")
      }
    }
    elements = wanted
  }

  private mutating func chooseBuffer() throws(MeterFailure) {
    length = options.buffer ?? Int(min(max((rate ?? 0) * 2, 256), 262_144))
    let asked = IIOAttribute(device.id, "buffer/length")
    let now = try setup.set(asked, "\(length)", until: deadline)
    guard let kept = Int(now), kept > 0 else {
      throw MeterFailure(
        .malfunction, "\(asked.description): '\(now)' where '\(length)' was asked for")
    }
    length = kept
    // Some 50 batches a second, and room for the reader's delay.
    let wanted = Int(min(max((rate ?? 0) / 50, 1), Double(max(length / 4, 1))))
    let attribute = IIOAttribute(device.id, "buffer/watermark")
    watermark = (try? setup.set(attribute, "\(wanted)", until: deadline)).flatMap { Int($0) } ?? 1
  }
}
