/// What an instrument does with a line: answers, takes or refuses it.
struct SCPIWords {
  let instrument: SCPIInstrument
  /// That the next lines mean, of this connection.
  var selected = 1

  /// What comes of a line.
  enum Outcome: Sendable, Hashable {
    case nothing
    case answer(String)
    /// With values that were measured.
    case values(String)
    case block([UInt8])
    /// An entry for the queue of errors.
    case refused(String)
  }

  static let unknown = "-113,\"Undefined header\""
  static let beyond = "-222,\"Data out of range\""

  init(_ instrument: SCPIInstrument) { self.instrument = instrument }

  var model: SCPIModel { instrument.model }

  mutating func obey(_ line: SCPILine) -> Outcome {
    if let outcome = common(line) { return outcome }
    if model.isMeter { return measuring(line) }
    if model.addressing == .channelWord || model.addressing == .selection,
      ["INST", "INST:NSEL", "INST:SEL"].contains(line.header)
    {
      return select(line)
    }
    guard let channel = channel(line) else { return .refused(Self.beyond) }
    return reading(line, channel) ?? setting(line, channel) ?? log(line, channel)
      ?? .refused(Self.unknown)
  }

  /// Commands that all have, IEEE 488.2's and some of SCPI's.
  private func common(_ line: SCPILine) -> Outcome? {
    switch (line.header, line.isQuestion) {
    case ("*IDN", true): return .answer(instrument.faults.identity ?? model.identity)
    case ("*OPC", true): return .answer("1")
    case ("*CLS", false):
      instrument.change { $0.errors = [] }
      return .nothing
    case ("*STB", true), ("*ESR", true): return .answer("0")
    case ("SYST:ERR", true), ("SYST:ERR:NEXT", true):
      guard model != .dm3068 else { return nil }
      let none = model == .spd3303 ? "0  No Error" : "+0,\"No error\""
      return .answer(
        instrument.change { $0.errors.isEmpty ? nil : $0.errors.removeFirst() } ?? none)
    case ("SYST:VERS", true): return .answer("1999.0")
    case ("SYST:REM", false), ("SYST:LOC", false): return .nothing
    // sigrok asks a Rigol before it measures.
    case ("SYST:BEEP:STAT", true) where model == .dp832: return .answer("OFF")
    case ("SYST:BEEP:STAT", false) where model == .dp832: return .nothing
    default: return nil
    }
  }

  private mutating func select(_ line: SCPILine) -> Outcome {
    if line.isQuestion { return .answer("\(selected)") }
    let word = line.arguments.first ?? ""
    let number = line.channel ?? Int(word.drop { !$0.isNumber })
    guard let number, (1...model.channels).contains(number) else { return .refused(Self.beyond) }
    selected = number
    return .nothing
  }

  private func channel(_ line: SCPILine) -> Int? {
    let named: Int? =
      switch model.addressing {
      case .list, .channelWord: line.channel
      case .selection, .none: nil
      }
    let number = named ?? selected
    return (1...model.channels).contains(number) ? number : nil
  }

  // MARK: multimeters

  private func measuring(_ line: SCPILine) -> Outcome {
    let name = line.header.split(separator: ":").map(String.init)
    switch (name.first, line.isQuestion) {
    case ("MEAS", true), ("FUNC", false), ("CONF", false):
      guard name.count == 3, name[2] == "DC", name[0] != "FUNC" || model == .dm3068,
        name[0] != "CONF" || model == .sdm3055,
        let quantity = name[1] == "VOLT" ? SCPIQuantity.voltage : name[1] == "CURR" ? .current : nil
      else { return .refused(Self.unknown) }
      guard !line.isQuestion else { return .values(instrument.measure(quantity, 1)) }
      instrument.change { $0.function = quantity }
      return .nothing
    case ("READ", true) where model == .sdm3055:
      return .values(instrument.measure(instrument.now.function, 1))
    case ("CMDS", false) where model == .dm3068: return .nothing
    default: return .refused(Self.unknown)
    }
  }

  // MARK: supplies

  private func reading(_ line: SCPILine, _ channel: Int) -> Outcome? {
    guard line.isQuestion else { return nil }
    switch line.header {
    case "MEAS", "MEAS:VOLT", "MEAS:VOLT:DC":
      return .values(instrument.measure(.voltage, channel))
    case "MEAS:CURR", "MEAS:CURR:DC": return .values(instrument.measure(.current, channel))
    case "MEAS:POW" where model != .n6705 && model != .ngm202 && model != .hmc8043:
      return .values(instrument.measure(.power, channel))
    case "MEAS:ALL" where model == .dp832:
      return .values(
        [SCPIQuantity.voltage, .current, .power].map { instrument.measure($0, channel) }
          .joined(separator: ","))
    case "SYST:STAT" where model == .spd3303:
      var bits = 0
      for (number, output) in instrument.now.outputs.enumerated() where output.isOn {
        bits |= 1 << (4 + number)
      }
      return .answer("0x" + String(bits, radix: 16))
    case "OUTP:MODE" where model == .dp832: return .answer("CV")
    case "OUTP:OVP:QUES" where model == .dp832, "OUTP:OCP:QUES" where model == .dp832:
      return .answer("NO")
    case "SYST:OTP" where model == .dp832: return .answer("OFF")
    default: return nil
    }
  }

  private func setting(_ line: SCPILine, _ channel: Int) -> Outcome? {
    switch line.header {
    case "VOLT": return number(line, channel, \.voltage, 0...32)
    case "CURR": return number(line, channel, \.currentLimit, 0...3.2)
    case "OUTP", "OUTP:STAT":
      // That of Siglent has no question.
      guard model != .spd3303 || !line.isQuestion else { return nil }
      return flag(line, channel, \.isOn)
    case "VOLT:PROT" where model == .n6705 || model == .generic,
      "VOLT:PROT:LEV" where model == .ngm202 || model == .hmc8043,
      "OUTP:OVP:VAL" where model == .dp832:
      return number(line, channel, \.overVoltage, 0.01...33)
    case "VOLT:PROT:STAT" where model == .ngm202 || model == .hmc8043,
      "OUTP:OVP" where model == .dp832,
      "OUTP:OVP:STAT" where model == .dp832:
      return flag(line, channel, \.overVoltageIsOn)
    case "OUTP:OCP:VAL" where model == .dp832:
      return number(line, channel, \.overCurrent, 0.001...3.3)
    case "CURR:PROT:STAT" where model == .n6705 || model == .generic,
      "FUSE:STAT" where model == .ngm202 || model == .hmc8043, "OUTP:OCP" where model == .dp832,
      "OUTP:OCP:STAT" where model == .dp832:
      return flag(line, channel, \.overCurrentIsOn)
    default: return nil
    }
  }

  private func number(
    _ line: SCPILine, _ channel: Int,
    _ place: WritableKeyPath<SCPIInstrument.Output, Double>, _ range: ClosedRange<Double>
  ) -> Outcome {
    if line.isQuestion {
      return .answer(model.text(instrument.now.outputs[channel - 1][keyPath: place], .voltage))
    }
    guard let value = line.arguments.first.flatMap({ Double($0) }), range.contains(value) else {
      return .refused(Self.beyond)
    }
    return change(line, channel) { $0[keyPath: place] = value }
  }

  private func flag(
    _ line: SCPILine, _ channel: Int,
    _ place: WritableKeyPath<SCPIInstrument.Output, Bool>
  ) -> Outcome {
    if line.isQuestion {
      let isOn = instrument.now.outputs[channel - 1][keyPath: place]
      return .answer(model == .dp832 ? (isOn ? "ON" : "OFF") : (isOn ? "1" : "0"))
    }
    guard let word = line.arguments.first, ["0", "1", "ON", "OFF"].contains(word) else {
      return .refused(Self.beyond)
    }
    return change(line, channel) { $0[keyPath: place] = word == "1" || word == "ON" }
  }

  /// Changes a channel; beyond its protection an output goes off.
  private func change(
    _ line: SCPILine, _ channel: Int, _ body: (inout SCPIInstrument.Output) -> Void
  ) -> Outcome {
    guard !instrument.faults.isDeaf else { return .nothing }
    // Keysight's is always there, the others' is switched on.
    let isAlways = model == .n6705 || model == .generic
    instrument.change { state in
      state.settings.append("\(channel) \(line.header) \(line.arguments.first ?? "")")
      body(&state.outputs[channel - 1])
      let output = state.outputs[channel - 1]
      if output.isOn, isAlways || output.overVoltageIsOn, output.voltage > output.overVoltage {
        state.outputs[channel - 1].isOn = false
        state.errors.append("+201,\"Over-voltage protection has tripped\"")
      }
    }
    return .nothing
  }
}
