internal import KelvinModel

/// The logging of Keysight's N6705 and of Rohde & Schwarz's NGM202, as far as their manuals tell.
extension SCPIWords {
  func log(_ line: SCPILine, _ channel: Int) -> Outcome? {
    switch model {
    case .n6705: externalLog(line, channel)
    case .ngm202: fastLog(line, channel)
    default: nil
    }
  }

  /// Samples of a piece: 250 ms.
  private static let piece = 250_000_000.0

  private func externalLog(_ line: SCPILine, _ channel: Int) -> Outcome? {
    switch (line.header, line.isQuestion) {
    case ("FORM", false), ("FORM:BORD", false), ("TRIG:ELOG:SOUR", false), ("INIT:ELOG", false),
      ("SENS:ELOG:FUNC:VOLT:MINM", false), ("SENS:ELOG:FUNC:CURR:MINM", false):
      return .nothing
    case ("SENS:ELOG:FUNC:VOLT", false):
      instrument.change { $0.logsVoltage = line.arguments.first == "ON" }
      return .nothing
    case ("SENS:ELOG:FUNC:CURR", false):
      instrument.change { $0.logsCurrent = line.arguments.first == "ON" }
      return .nothing
    case ("SENS:ELOG:PER", false):
      guard let period = line.arguments.first.flatMap({ Double($0) }),
        (102e-6...60).contains(period)
      else { return .refused(Self.beyond) }
      // In multiples of 20.48 microseconds.
      instrument.change { $0.logPeriod = (period / 20.48e-6).rounded() * 20_480 }
      return .nothing
    case ("SENS:ELOG:PER", true):
      return .answer(model.text(instrument.now.logPeriod / 1e9, .current))
    case ("TRIG:ELOG", false):
      instrument.change {
        $0.log = (MonotonicTime.now.nanoseconds, $0.logPeriod)
        $0.logged = 0
      }
      return .nothing
    case ("ABOR:ELOG", false):
      instrument.change { $0.log = nil }
      return .nothing
    case ("FETC:ELOG", true):
      guard let most = line.arguments.first.flatMap({ Int64($0) }), most > 0 else {
        return .refused(Self.beyond)
      }
      return .block(records(channel, most))
    default: return nil
    }
  }

  /// The means of the periods that are over, the current's before the voltage's, the highest byte first.
  private func records(_ channel: Int, _ most: Int64) -> [UInt8] {
    let now = MonotonicTime.now.nanoseconds
    let state = instrument.now
    guard let log = state.log else { return [] }
    let over = Int64(Double(now &- log.begin) / log.period)
    let held = Int64(20e9 / log.period)
    let first = max(state.logged, over - held)
    let end = min(over, first + most)
    guard end > first else { return [] }
    var bytes: [UInt8] = []
    for sample in first..<end {
      let time = log.begin &+ Int64((Double(sample) + 0.5) * log.period)
      if state.logsCurrent { append(.current, channel, time, &bytes, bigEndian: true) }
      if state.logsVoltage { append(.voltage, channel, time, &bytes, bigEndian: true) }
    }
    instrument.change { $0.logged = end }
    return bytes
  }

  private func append(
    _ quantity: SCPIQuantity, _ channel: Int, _ time: Int64, _ bytes: inout [UInt8],
    bigEndian: Bool
  ) {
    let word = Float(instrument.truth(quantity, channel, at: time)).bitPattern
    for place in 0..<4 {
      let shift = UInt32(8 * (bigEndian ? 3 - place : place))
      bytes.append(UInt8(truncatingIfNeeded: word >> shift))
    }
  }

  private func fastLog(_ line: SCPILine, _ channel: Int) -> Outcome? {
    switch (line.header, line.isQuestion) {
    case ("FLOG:TARG", false): return .nothing
    case ("FLOG:SRAT", false):
      let rates = [
        "S100": 100.0, "S001K": 1e3, "S010K": 10e3, "S050K": 50e3, "S250K": 250e3, "S500K": 500e3
      ]
      guard let rate = rates[line.arguments.first ?? ""] else { return .refused(Self.beyond) }
      instrument.change { $0.logPeriod = 1e9 / rate }
      return .nothing
    case ("FLOG", false), ("FLOG:STAT", false):
      let isOn = ["1", "ON"].contains(line.arguments.first)
      instrument.change {
        $0.log = isOn ? (MonotonicTime.now.nanoseconds, $0.logPeriod) : nil
        $0.logged = 0
      }
      return .nothing
    case ("FLOG:STAT", true), ("FLOG", true): return .answer(instrument.now.log == nil ? "0" : "1")
    case ("STAT:OPER:INST:ISUM\(channel):EVEN", true):
      return .answer(piece() == nil ? "0" : "4096")
    case ("FLOG:DATA", true): return .block(pieceBytes(channel))
    default:
      return line.header.hasPrefix("STAT:OPER:INST:ISUM") && !line.isQuestion ? .nothing : nil
    }
  }

  /// The piece that is there and was not fetched: the oldest that has not been overwritten.
  private func piece() -> Int64? {
    let now = MonotonicTime.now.nanoseconds
    let state = instrument.now
    guard let log = state.log else { return nil }
    let done = Int64(Double(now &- log.begin) / Self.piece)
    for number in state.logged..<max(state.logged, done) {
      let age = Double(now &- log.begin) - Double(number + 1) * Self.piece
      if age <= instrument.faults.window * 1e9,
        instrument.faults.lostPiece.map({ Int64($0) }) != number
      {
        return number
      }
    }
    return nil
  }

  private func pieceBytes(_ channel: Int) -> [UInt8] {
    guard let number = piece(), let log = instrument.now.log else { return [] }
    let count = Int64(Self.piece / log.period)
    var bytes: [UInt8] = []
    for sample in number * count..<(number + 1) * count {
      let time = log.begin &+ Int64((Double(sample) + 0.5) * log.period)
      append(.voltage, channel, time, &bytes, bigEndian: false)
      append(.current, channel, time, &bytes, bigEndian: false)
    }
    instrument.change { $0.logged = number + 1 }
    return bytes
  }
}
