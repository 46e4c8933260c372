import KelvinDevices
import KelvinModel
import Testing

@testable import KelvinMeters

/// What a Monsoon is asked and told, and what becomes of its own figures.
struct MonsoonProtocolTests {
  @Test func requestsAreThoseOfPyMonsoon() {
    let get = MonsoonRequest.get(.firmware)
    #expect(get.requestType == 0xc0 && get.request == 1 && get.value == 0 && get.index == 0xc0)
    // 3.7 V · 2²⁰ = 3,879,731 = 0x3b3333: its third byte stands above the opcode.
    let raw = MonsoonModel.raw(volts: 3.7)
    #expect(raw == 0x3b3333)
    let (set, bytes) = MonsoonRequest.set(.mainVoltage, raw)
    #expect(set.requestType == 0x40 && set.request == 1)
    #expect(set.value == 0x3333 && set.index == 0x3b41 && bytes == [0x33, 0x33, 0x3b, 0x00])
    let (start, samples) = MonsoonRequest.start(calibration: 1250)
    #expect(start.requestType == 0x40 && start.request == 2 && start.value == 1250)
    #expect(start.index == 0 && samples == [0xff, 0xff, 0xff, 0xff])
    #expect(MonsoonRequest.stop.requestType == 0x40 && MonsoonRequest.stop.request == 3)
  }

  @Test func answersAreFourBytes() {
    #expect(MonsoonRequest.number([0x20, 0, 0, 0]) == 32)
    #expect(MonsoonRequest.number([0xfe, 0xff, 0xff, 0xff]) == MonsoonRequest.error)
    for count in [0, 1, 2, 3, 5, 64] {
      #expect(MonsoonRequest.number([UInt8](repeating: 1, count: count)) == nil)
    }
    #expect(MonsoonValue.firmware.part(0xdead_0020) == 0x20)
    #expect(MonsoonValue.status.part(0xffff_ff80) == 0x80)
    #expect(MonsoonValue.mainVoltage.part(0xdead_0020) == 0xdead_0020)
  }

  @Test func currentLimitsAreAsEachModelTakesThem() {
    let hv = MonsoonModel.hvpm
    #expect(hv.raw(amperes: 0) == 0x0f00 && hv.raw(amperes: 15) == 63_067)
    #expect(hv.raw(amperes: 4.6) == 22_003)
    #expect(abs(hv.amperes(raw: 22_003) - 4.6) < 3e-4)
    let lv = MonsoonModel.lvpm
    #expect(lv.raw(amperes: 8) == 0 && lv.raw(amperes: 0) == 1023 && lv.raw(amperes: 4) == 511)
    #expect(abs(lv.amperes(raw: 511) - 4) < 8e-3 && lv.amperes(raw: 5000) == 0)
  }

  @Test func aSupplyThatWasNeverCalibratedIsSeen() {
    let hv = MonsoonModel.hvpm
    #expect(hv.hasSafeSupply(low: 0xe000, high: 0xc800))
    for (low, high) in [
      (0xd000, 0xc800), (0xf000, 0xc800), (0xe000, 0xc000), (0xe000, 0xd000), (0, 0),
      (0xffff, 0xffff)
    ] as [(UInt32, UInt32)] {
      #expect(!hv.hasSafeSupply(low: low, high: high), "\(low) \(high)")
    }
    #expect(MonsoonModel.lvpm.hasSafeSupply(low: 0, high: 0))
  }

  @Test func scalesAreOfTheModelsOwnMemory() {
    let hv = MonsoonScales(
      .hvpm,
      [
        .mainCoarseScale: 6400, .mainFineScale: 36_500, .mainCoarseZero: 0xfff9, .mainFineZero: 15,
        .auxFineScale: 3100
      ])
    #expect(hv.references == [6400, 36_500, 0, 0, 0, 3100])
    #expect(hv.zeros == [-7, 15, 0, 0, 0, 0])
    let lv = MonsoonScales(
      .lvpm, [.mainCoarseResistor: 0, .mainFineResistor: 12, .usbFineResistor: 0xf6])
    #expect(lv.references[0] == 3103.4)
    #expect(abs(lv.references[1] - 35_946 * 0.05 / 0.0512) < 1e-9)
    #expect(abs(lv.references[3] - 35_946 * 0.05 / 0.049) < 1e-9)
    #expect(lv.zeros == [0, 0, 0, 0, 0, 0])
  }

  @Test func calibrationIsTheMeanOfTheLastFive() throws {
    var calibration = MonsoonCalibration()
    let scales = MonsoonPackets.scales()
    for code: Int32 in [1000, 1002, 1004, 1006] {
      calibration.take(.zero, input: 1, code)
      calibration.take(.reference, input: 1, 20_000 + code)
      // What is 0 is none.
      calibration.take(.zero, input: 1, 0)
      #expect(calibration.line(1, scales) == nil)
    }
    calibration.take(.zero, input: 1, 1008)
    #expect(calibration.line(1, scales) == nil)
    calibration.take(.reference, input: 1, 21_008)
    let line = try #require(calibration.line(1, scales))
    #expect(line.zero == 1004)
    // 10 mA at 20,000 codes.
    #expect(abs(line.slope * MonsoonStream.scale * 20_000 - 0.01) < 1e-12)
    for _ in 0..<5 { calibration.take(.zero, input: 1, 500) }
    #expect(calibration.line(1, scales)?.zero == 500)
    #expect(calibration.line(0, scales) == nil)
  }

  @Test func optionsAreCheckedBeforeAnythingIsSent() throws {
    func code(_ options: [String: Value], _ model: MonsoonModel? = nil) -> MeterFailure.Code? {
      do throws(MeterFailure) {
        let options = try MonsoonOptions(options, of: "m")
        if let model { try options.check(model, of: "m") }
        return nil
      } catch { return error.code }
    }
    #expect(code([:]) == nil)
    let tooHigh: [String: Value] = ["voltage": .number(4.2), "max-voltage": .number(3.6)]
    #expect(code(tooHigh) == .invalid)
    #expect(code(["voltage": .number(3.6), "max-voltage": .number(3.6)], .lvpm) == nil)
    for (volts, model, result) in [
      (2.0, .lvpm, .invalid), (2.01, .lvpm, nil), (4.55, .lvpm, nil), (4.56, .lvpm, .invalid),
      (0.79, .hvpm, .invalid), (0.8, .hvpm, nil), (13.5, .hvpm, nil), (13.51, .hvpm, .invalid)
    ] as [(Double, MonsoonModel, MeterFailure.Code?)] {
      #expect(code(["voltage": .number(volts)], model) == result, "\(volts) \(model)")
    }
    #expect(code(["current-limit": .number(9)], .lvpm) == .invalid)
    #expect(code(["current-limit": .number(9)], .hvpm) == nil)
    #expect(code(["power-up-limit": .number(-1)], .hvpm) == .invalid)
    #expect(code(["channels": .list([.text("aux")])], .lvpm) == .unsupported)
    #expect(code(["channels": .list([.text("none")])]) == .invalid)
    #expect(code(["channels": .list([])]) == .invalid)
    let options = try MonsoonOptions(
      [
        "channels": .list([.text("aux"), .text("main"), .text("aux")]), "usb": .text("auto"),
        "on-close": .text("left")
      ], of: "m")
    #expect(options.sites == [.main, .aux] && options.usb == .auto && options.isLeft)
  }
}
