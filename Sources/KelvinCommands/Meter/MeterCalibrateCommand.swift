internal import ArgumentParser
internal import Foundation
internal import KelvinMeters
internal import KelvinModel

/// `kelvin meter calibrate`: a meter against references.
struct MeterCalibrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Compares a meter with references, and corrects it from then on.",
    discussion: """
      Each call measures one point: nothing flows (--zero), a reference of a voltage, a current or a power \
      that is known (--reference), or a resistor as the only load (--load: the current is the voltage over \
      it). One point gives an offset or a gain, two different ones give both. How far the references may be \
      off, and the scatter, become the uncertainty of what is measured from then on.

      The points are kept in calibration/METER.json beside the bench file, and used by every command \
      until they are forgotten. They are of one meter and one range: after a change of its shunt they no \
      longer fit, and that is said. Give a --zero and a --reference for whatever matters.

      EXAMPLES
        kelvin meter calibrate rail --zero
        kelvin meter calibrate rail --reference '3.300 V ± 2 mV' --channel in1
        kelvin meter calibrate rail --load '100 ohm, 0.1 %'
        kelvin meter calibrate rail --forget

      EXIT CODES
        0 when a point was added; 2 bad input; 3 the meter failed
      """)

  @Argument(help: "The meter, as 'kelvin meter list' or the bench file names it.")
  var meter: String
  @OptionGroup var meters: MeterOptions
  @Flag(help: "Nothing flows: of currents and powers, or of --channel.") var zero = false
  @Option(help: "What the reference says, and how far it may be off: '3.300 V ± 2 mV'.")
  var reference: String?
  @Option(help: "A resistor as the only load, and its tolerance: '100 ohm, 0.1 %'; default: 5 %.")
  var load: String?
  @Option(help: "Only this channel.") var channel: String?
  @Option(name: .customLong("for"), help: "How long it measures; default: 5 s.")
  var time: TimeArgument?
  @Flag(help: "Remove what is known of the meter, and measure nothing.") var forget = false
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func validate() throws {
    let ways = [zero, reference != nil, load != nil, forget].filter(\.self).count
    guard ways == 1 else {
      throw ValidationError("give one of --zero, --reference, --load and --forget")
    }
    _ = try way()
  }

  private func way() throws -> CalibrationPoints.Way? {
    if zero { return .zero }
    if let load {
      guard let resistor = LoadVerification.Load(load) else {
        throw ValidationError("--load: expected a resistor such as '100 ohm, 0.1 %'")
      }
      return .load(resistor)
    }
    guard let reference else { return nil }
    let found = [Dimension.voltage, .current, .power].lazy.compactMap { dimension in
      StatedQuantity(reference, dimension).map { (dimension: dimension, quantity: $0) }
    }.first
    guard let (dimension, quantity) = found, quantity.value != 0 else {
      throw ValidationError(
        "--reference: expected a voltage, a current or a power such as '3.300 V ± 2 mV'")
    }
    guard let limit = quantity.limit else {
      throw ValidationError(
        "--reference: say how far it may be off: '\(reference) ± 2 m\(dimension.baseUnit)'")
    }
    return .reference(quantity.value, limit: limit, dimension)
  }

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let (way, channel, seconds) = (try way(), channel, time?.seconds ?? 5)
    let (benches, name, board) = ((try? meters.target.bench.paths()) ?? [], meter, meters.board)
    let isDeclared = try meters.isDeclared(name)
    let date = String(Date.ISO8601FormatStyle(timeZone: .gmt).format(.now).prefix(10))
    let (path, calibration, channels) = try await meters.withMeter(
      name, isCalibrated: false, for: "meter calibrate",
      until: .after(seconds: 30, interrupt: interrupt)
    ) { meter, _ in
      let place = isDeclared ? name : "\(board)-\(meter.identity.name)"
      guard let file = CalibrationFile(of: place, besides: benches) else {
        throw MeterFailure(
          .invalid, "\(name): there is no bench file beside which its calibration could be kept",
          hint: "name the meter in a bench.yaml")
      }
      guard let way else {
        file.remove()
        return (file.path, MeterCalibration(of: meter.identity), meter.channels)
      }
      var calibration = try file.read() ?? MeterCalibration(of: meter.identity)
      if let mismatch = calibration.mismatch(with: meter.identity) {
        throw MeterFailure(
          .invalid, "\(name): what is known is of another meter: \(mismatch)",
          hint: "begin anew by --forget")
      }
      let trial = try await MeterTrial.take(meter, seconds: seconds, interrupt: interrupt)
      if let failure = trial.summary.failure { throw failure }
      let points = try CalibrationPoints.of(
        trial.figures, way, only: channel, knowing: calibration, meter: name, date: date)
      for (channel, point) in points { calibration.add(point, to: channel) }
      try file.write(calibration)
      return (file.path, calibration, meter.channels)
    }
    show(calibration, channels, path)
  }

  private func show(_ calibration: MeterCalibration, _ channels: [Channel], _ path: String) {
    switch format {
    case .json: Terminal.standardOutput.line(calibration.value.json)
    case .text:
      if calibration.points.isEmpty {
        Terminal.standardOutput.line("\(meter): nothing is known of it any more")
        return
      }
      TextTable(
        header: ["CHANNEL", "POINTS", "GAIN", "OFFSET", "WITHIN (k = 2)"], right: [1],
        rows: channels.compactMap { channel in
          guard let points = calibration.points[channel.name] else { return nil }
          let correction = calibration.correction(of: channel.name)
          return [
            channel.name, "\(points.count)", correction.map { "\($0.gain)" } ?? "-",
            correction.map { FigureText.quantity($0.offset, channel.unit) } ?? "no gain fits",
            calibration.corrected(channel).accuracy.map {
              FigureText.limits($0, channel.unit)
            } ?? "not stated"
          ].map(TextTable.printable)
        }
      ).print()
      Terminal.standardOutput.line(path)
    }
  }
}
