internal import Foundation
internal import Glibc
public import KelvinModel
internal import KelvinSystem

/// Turns what a guest does into the power it draws, and lets the guest see that power, its
/// temperature and its battery. Its log is the ground truth for whatever measures the guest; figures
/// that were measured against it are virtual.
public final class Plant {
  private let folder: String
  private let model: PlantModel
  private let tick: Double
  private let probe: GuestProbe
  private let live: LiveValues?
  private let page: PlantPage
  private let log: UnsafeMutablePointer<FILE>

  /// Connects to a guest.
  ///
  /// - Parameters:
  ///   - folder: the guest's folder.
  ///   - kind: `x86` or `arm`.
  ///   - tickSeconds: between two steps, at least 1 ms.
  ///   - logPath: a CSV file, made anew.
  /// - Throws: when the guest does not run, or has a plant already.
  public init(
    folder: String, kind: String, model: PlantModel, tickSeconds: Double, logPath: String
  ) throws(PlainFailure) {
    if let mistake = model.mistake { throw PlainFailure(.configuration, "plant: \(mistake)") }
    self.folder = folder
    self.model = model
    tick = max(0.001, tickSeconds)
    probe = try GuestProbe(
      folder: folder, registers: kind == "x86" ? GuestProbe.x86Registers : [])
    live = kind == "x86" ? try LiveValues(folder: folder) : nil
    page = try PlantPage(path: folder + "/plant.page")
    guard let file = fopen(logPath, "we") else {
      throw PlainFailure(.infrastructure, "\(logPath): \(Errno.current)")
    }
    log = file
  }

  deinit { fclose(log) }

  /// Runs until the deadline, the interrupt, or the guest's end.
  ///
  /// - Returns: joules since the beginning.
  /// - Throws: when the log cannot be written.
  @discardableResult
  public func run(until deadline: Deadline) throws(PlainFailure) -> Double {
    let begin = MonotonicTime.now.nanoseconds
    var previous = begin
    var temperature = model.thermal.ambient
    var energy = 0.0
    var average = MeterAverage()
    var power = model.power(cpus: [], temperature: temperature, at: 0)
    var next = begin
    try write(header)
    while !deadline.hasPassed, !deadline.isInterrupted {
      next += Int64(tick * 1e9)
      let pause = Deadline(time: MonotonicTime(nanoseconds: next), interrupt: deadline.interrupt)
      if pause.wait() == .interrupted { break }
      let activity: [CPUActivity]
      do { activity = try probe.read() } catch { break }
      let now = MonotonicTime.now.nanoseconds
      // The power that held since the last step is what the guest and the log were told then.
      let step = Double(now - previous) * 1e-9
      energy += power * step
      temperature = model.temperature(from: temperature, power: power, after: step)
      power = model.power(
        cpus: activity, temperature: temperature, at: Double(now - begin) * 1e-9)
      previous = now
      live?.set(temperature: temperature)
      // The guest's meter averages, as it says.
      live?.set(power: average.power(at: now, energy: energy) ?? power)
      live?.set(batteryWattHours: max(0, model.batteryWattHours - energy / 3600))
      page.write(time: now, power: power, voltage: 5, energy: energy)
      try write(line(now, activity, temperature, power, energy))
      // After a stall of the host the plant goes on from now, it does not catch up in a burst.
      if now - next > 1_000_000_000 { next = now }
    }
    fflush(log)
    return energy
  }

  private var header: String {
    let cpus = model.cpus.indices.map { "cpu\($0)_mhz,cpu\($0)_load," }.joined()
    return "monotonic_ns,\(cpus)temperature_c,power_w,energy_j\n"
  }

  private func line(
    _ now: Int64, _ activity: [CPUActivity], _ temperature: Double, _ power: Double,
    _ energy: Double
  ) -> String {
    var text = "\(now)"
    for index in model.cpus.indices {
      let cpu = activity.indices.contains(index) ? activity[index] : CPUActivity(0, load: 0)
      text += String(format: ",%.0f,%.4f", cpu.megahertz, cpu.load)
    }
    return text + String(format: ",%.3f,%.6f,%.6f\n", temperature, power, energy)
  }

  private func write(_ text: String) throws(PlainFailure) {
    guard fputs(text, log) >= 0 else {
      throw PlainFailure(.infrastructure, "the plant's log: \(Errno.current)")
    }
  }
}
