/// Makes samples of what a Monsoon sends while it samples. Pure; used by one thread.
///
/// Packets are 64 bytes or shorter: the number of packets that it had to drop since it began, modulo 2¹⁶ and
/// the lowest byte first; flags; how many observations follow, three at most; those, 18 bytes each: eight
/// numbers with the highest byte first (main coarse and fine, USB coarse and fine, aux coarse and fine,
/// main voltage, USB voltage), a byte that nobody explains, and one whose bits 4 and 5 say what it is.
/// Source: PyMonsoon, Monsoon/{HVPM,sampleEngine}.py; that the count is of packets and runs on, and that it
/// is 65,535 for the first moments: Android's ACTS, monsoon_lib/sampling/hvpm/{packet,transformers}.py. That
/// a dropped packet held three observations, as full ones do, is inferred.
///
/// Each observation takes its turn in time: a measurement, a calibration, or an invalid one. So its number
/// times 200 µs is its time, and calibrations leave holes of a sample or two, which are no losses.
package struct MonsoonStream: Sendable {
  /// Of a code of current, in amperes: below a quarter of the finest step (HVPM, aux fine: 60 nA).
  package static let scale = 1e-8

  static let packetSize = 64
  static let headerSize = 4
  static let observationSize = 18
  static let mostObservations = 3
  /// As many calibrations in a row are told as a gap: 10 ms in which it did not measure.
  static let mostCalibrations = 50
  /// No current of a sane calibration is beyond it, in units of ``scale``.
  private static let greatest = 1000 / scale

  package enum Part {
    /// Measurements in a row: the number of the first, and the codes of each column.
    case samples(first: Int64, codes: [[Int64]])
    /// Between two measurements so many are missing.
    case gap(after: Int64, before: Int64, count: Int64, note: String)
    /// Of a site, at a measurement: its coarse input was at its end.
    case saturation(column: Int, at: Int64)
  }

  private let model: MonsoonModel
  private let sites: [MonsoonSite]
  private let scales: MonsoonScales
  private var calibration = MonsoonCalibration()
  private var lines = [MonsoonCalibration.Line?](repeating: nil, count: MonsoonScales.inputs)

  /// Of the next observation.
  package private(set) var number: Int64 = 0
  /// That are missing, from the first measurement that was given out on.
  package private(set) var lost: Int64 = 0
  /// Observations that were calibrations, or said to be invalid.
  package private(set) var calibrations: Int64 = 0
  package private(set) var invalid: Int64 = 0
  /// Packets that claim what they do not hold.
  package private(set) var damaged: Int64 = 0
  package private(set) var saturated: Int64 = 0
  /// The input whose calibration makes no sense; nil while all do.
  package private(set) var senseless: Int?
  /// Whether measurements are given out: before, nobody knows their times.
  package var isOpen = false

  private var dropped: UInt16?
  private var last: Int64?
  private var missing: Int64 = 0
  private var calibrating: Int64 = 0
  private var run: (first: Int64, codes: [[Int64]])

  /// - Parameter sites: that are given out; each is a column of current, and one of voltage if it has one.
  package init(_ model: MonsoonModel, _ scales: MonsoonScales, sites: [MonsoonSite]) {
    self.model = model
    self.scales = scales
    self.sites = sites
    let columns = sites.reduce(0) { $0 + ($1.voltage == nil ? 1 : 2) }
    run = (0, [[Int64]](repeating: [], count: columns))
  }

  /// Whether all that is given out is calibrated.
  package var isCalibrated: Bool {
    sites.allSatisfy { lines[$0.coarse] != nil && lines[$0.fine] != nil }
  }

  /// Takes the bytes of a transfer: whole packets, the last of which may be shorter.
  ///
  /// - Parameters:
  ///   - most: observations that can have been dropped, by the clock: no count is believed beyond it.
  ///   - give: takes what became of them, but for measurements in a row that may go on: see ``flush(_:)``.
  package mutating func take(
    _ bytes: RawSpan, most: Int64 = .max, _ give: (Part) -> Void
  ) {
    var most = most
    var start = 0
    while start < bytes.byteCount {
      let end = min(start + Self.packetSize, bytes.byteCount)
      packet(bytes.extracting(start..<end), &most, give)
      start = end
    }
  }

  /// Passes over observations that never came.
  package mutating func pass(_ count: Int64) {
    number += count
    missing += count
  }

  /// Gives out what is held back.
  package mutating func flush(_ give: (Part) -> Void) {
    guard !run.codes[0].isEmpty else { return }
    give(.samples(first: run.first, codes: run.codes))
    for column in run.codes.indices { run.codes[column].removeAll(keepingCapacity: true) }
  }

  private mutating func packet(
    _ bytes: RawSpan, _ most: inout Int64, _ give: (Part) -> Void
  ) {
    guard bytes.byteCount >= Self.headerSize else { return damage() }
    let count = Int(Self.byte(bytes, 3))
    drop(UInt16(Self.byte(bytes, 0)) | UInt16(Self.byte(bytes, 1)) << 8, &most)
    guard count <= Self.mostObservations,
      Self.headerSize + count * Self.observationSize <= bytes.byteCount
    else { return damage() }
    // A packet's calibrations hold for all of it, as in PyMonsoon's processing.
    for index in 0..<count { calibrate(Observation(bytes, index)) }
    for index in 0..<count { take(Observation(bytes, index), give) }
  }

  /// A packet of which nothing can be believed held what full ones hold.
  private mutating func damage() {
    damaged += 1
    pass(Int64(Self.mostObservations))
  }

  /// A count that goes back has begun anew; the first ones mean nothing.
  private mutating func drop(_ count: UInt16, _ most: inout Int64) {
    let before = dropped ?? count
    dropped = count
    guard isOpen, count &- before < 0x8000 else { return }
    let observations = min(Int64(count &- before) * Int64(Self.mostObservations), most)
    most -= observations
    pass(observations)
  }
}

// MARK: observations

extension MonsoonStream {
  /// Its numbers, four in a word as they stand, and its last byte.
  private struct Observation {
    let currents: UInt64
    let others: UInt64
    let last: UInt8

    /// - Parameter bytes: of a packet that holds it.
    init(_ bytes: RawSpan, _ index: Int) {
      let start = headerSize + index * observationSize
      currents = UInt64(
        bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self))
      others = UInt64(
        bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start + 8, as: UInt64.self))
      last = byte(bytes, start + 17)
    }

    /// Bits 4 and 5 of the last byte: 0 a measurement, 1 a zero, 2 invalid, 3 a reference.
    var kind: UInt8 { last >> 4 & 3 }

    func word(_ index: Int) -> UInt16 {
      UInt16(truncatingIfNeeded: (index < 4 ? currents : others) >> UInt64(48 - 16 * (index & 3)))
    }
  }

  private static func byte(_ bytes: RawSpan, _ place: Int) -> UInt8 {
    bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self)
  }

  private func current(_ observation: Observation, _ input: Int) -> Int32 {
    let word = observation.word(input)
    return model.isSigned ? Int32(Int16(bitPattern: word)) : Int32(word)
  }

  private mutating func calibrate(_ observation: Observation) {
    let kind = observation.kind
    guard kind & 1 == 1 else { return }
    for input in 0..<MonsoonScales.inputs {
      calibration.take(
        kind == 3 ? .reference : .zero, input: input, current(observation, input))
      lines[input] = calibration.line(input, scales)
    }
    for site in sites {
      for input in [site.coarse, site.fine] {
        guard let line = lines[input] else { continue }
        let size = abs(line.slope) * 65_536
        // What has no slope measures nothing.
        if !(size > 0 && size < Self.greatest) { senseless = input }
      }
    }
  }

  private mutating func take(_ observation: Observation, _ give: (Part) -> Void) {
    defer { number += 1 }
    switch observation.kind {
    case 0: break
    case 2:
      invalid += 1
      missing += 1
      return
    default:
      calibrations += 1
      calibrating += 1
      return
    }
    guard isOpen, isCalibrated, senseless == nil else { return }
    join(give)
    if run.codes[0].isEmpty { run.first = number }
    var column = 0
    for site in sites {
      let code = code(observation, site)
      run.codes[column].append(code.value)
      if code.isSaturated {
        saturated += 1
        give(.saturation(column: column, at: number))
      }
      column += 1
      guard let voltage = site.voltage else { continue }
      run.codes[column].append(Int64(observation.word(voltage)))
      column += 1
    }
    last = number
    missing = 0
    calibrating = 0
  }

  /// Tells what is missing between the last measurement and this one.
  private mutating func join(_ give: (Part) -> Void) {
    guard let last else { return }
    guard number != last + 1 else { return }
    flush(give)
    guard missing > 0 || calibrating > Self.mostCalibrations else { return }
    if missing > 0 {
      lost += missing
      give(
        .gap(
          after: last, before: number, count: missing,
          note: "dropped by the meter, invalid, or damaged on the way"))
    } else {
      give(
        .gap(after: last, before: number, count: calibrating, note: "it calibrated itself"))
    }
  }

  private func code(
    _ observation: Observation, _ site: MonsoonSite
  ) -> (value: Int64, isSaturated: Bool) {
    let fine = current(observation, site.fine)
    let isFine = fine < model.fineThreshold(site)
    let raw = isFine ? fine : current(observation, site.coarse)
    let line = lines[isFine ? site.fine : site.coarse] ?? MonsoonCalibration.Line()
    let value = ((Double(raw) - line.zero) * line.slope).rounded()
    return (Int64(value), !isFine && raw >= model.greatestCode)
  }
}
