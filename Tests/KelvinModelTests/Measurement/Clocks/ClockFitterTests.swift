internal import Glibc
import KelvinModel
import Testing

struct ClockFitterTests {
  private static let second: Int64 = 1_000_000_000

  /// A meter whose clock runs slower than the host's by `skew`, and arrivals that are late: by a least delay, an
  /// exponential one, and now and then by a lot.
  private static func observe(
    _ fitter: inout ClockFitter, seconds: Double, each: Double, skew: Double, start: Int64,
    meterStart: Int64 = 0, delay: Double, rare: Double = 0, dice: inout Dice
  ) {
    for index in 0..<Int(seconds / each) {
      let t = Double(index) * each * 1e9
      var late = -log(1 - dice.unit()) * delay
      if dice.unit() < 0.1 { late += rare * dice.unit() }
      fitter.observe(
        meter: meterStart + Int64(t), host: start + Int64(t * (1 + skew) + late))
    }
  }

  @Test(arguments: [0, 23e-6, -400e-6])
  func findsOffsetAndSkewUnderJitter(skew: Double) throws {
    var inside = 0
    var skewInside = 0
    for seed in 0..<40 as Range<UInt64> {
      var dice = Dice(seed: seed)
      var fitter = ClockFitter()
      Self.observe(
        &fitter, seconds: 120, each: 0.02, skew: skew, start: 5 * Self.second, delay: 0.5e6,
        rare: 40e6, dice: &dice)
      let fit = try #require(fitter.fit)
      #expect(fitter.steps.isEmpty)
      #expect(fit.count == 6000)
      let truth = { (meter: Int64) in
        5 * Self.second + Int64(Double(meter) * (1 + skew))
      }
      let errors = [0, 60, 119].map {
        abs(Double(fit.host($0 * Self.second) - truth($0 * Self.second)))
      }
      #expect(errors.allSatisfy { $0 < 200_000 }, "seed \(seed): \(errors)")
      if errors.allSatisfy({ $0 <= 2 * fit.uncertainty }) { inside += 1 }
      if abs(fit.skew - skew) <= 2 * (fit.skewUncertainty ?? 0) { skewInside += 1 }
      #expect(fit.uncertainty < 200_000)
      #expect(fit.residual >= 40e6 * 0.5 && fit.residual < 60e6)
    }
    #expect(inside >= 37 && skewInside >= 37, "\(inside) and \(skewInside) of 40")
  }

  /// A capture of seconds over a late link says little of a rate, and must not pretend to.
  @Test func shortCapturesDoNotInventASkew() throws {
    var dice = Dice(seed: 1)
    var fitter = ClockFitter(greatestSkew: 1e-4)
    Self.observe(
      &fitter, seconds: 3, each: 0.02, skew: 50e-6, start: 0, delay: 5e6, dice: &dice)
    let fit = try #require(fitter.fit)
    #expect(fit.skew == 0)
    #expect(fit.skewUncertainty == 1e-4 / 3.0.squareRoot())
    #expect(abs(Double(fit.host(Self.second) - 1_000_050_000)) <= 3 * fit.uncertainty)
  }

  @Test(arguments: [3_600, -3_600, 0.2, -0.2])
  func aClockThatIsSetBeginsANewPiece(step: Double) throws {
    var dice = Dice(seed: 2)
    var fitter = ClockFitter()
    Self.observe(
      &fitter, seconds: 30, each: 0.02, skew: 10e-6, start: 10_000 * Self.second, delay: 1e6,
      dice: &dice)
    Self.observe(
      &fitter, seconds: 30, each: 0.02, skew: 10e-6,
      start: 10_030 * Self.second + Int64(step * 1e9), meterStart: 30 * Self.second, delay: 1e6,
      dice: &dice)
    #expect(fitter.steps.count == 1)
    #expect(fitter.steps.first.map { abs($0.to - 30 * Self.second) < Self.second } == true)
    #expect(fitter.pieces.count == 1)
    let fit = try #require(fitter.fit)
    let expected = Double(10_045 * Self.second) + step * 1e9
    #expect(abs(Double(fit.host(45 * Self.second)) - expected) < 2e6)
    let before = try #require(fitter.pieces.first?.fit)
    #expect(abs(before.host(15 * Self.second) - 10_015 * Self.second) < 2_000_000)
  }

  @Test func aMeterThatStartsAnewBeginsANewPiece() throws {
    var dice = Dice(seed: 3)
    var fitter = ClockFitter()
    Self.observe(&fitter, seconds: 20, each: 0.02, skew: 0, start: 0, delay: 1e6, dice: &dice)
    Self.observe(
      &fitter, seconds: 20, each: 0.02, skew: 0, start: 60 * Self.second, delay: 1e6, dice: &dice)
    #expect(fitter.steps.count == 1)
    #expect(abs((fitter.fit?.host(Self.second) ?? 0) - 61 * Self.second) < 2_000_000)
  }

  /// A link that hangs for a while is late, no clock that was set.
  @Test func aDelayThatEndsIsNoStep() {
    var fitter = ClockFitter()
    for index in 0..<3000 as Range<Int64> {
      let isHanging = (1000..<1010).contains(index)
      fitter.observe(
        meter: index * 20_000_000, host: index * 20_000_000 + (isHanging ? 400_000_000 : 0))
    }
    #expect(fitter.steps.isEmpty)
    #expect(fitter.fit?.host(0) == 0)
  }

  @Test func theShortestWayIsTakenOff() throws {
    var fitter = ClockFitter(leastDelay: 1e6...3e6)
    for index in 0..<1000 as Range<Int64> {
      fitter.observe(meter: index * 20_000_000, host: index * 20_000_000 + 2_000_000)
    }
    let fit = try #require(fitter.fit)
    #expect(fit.host(Self.second) == Self.second)
    #expect(abs(fit.uncertainty - 2e6 / 12.0.squareRoot()) < 1)
  }

  @Test func nothingIsFittedToNothing() {
    var fitter = ClockFitter()
    #expect(fitter.fit == nil)
    fitter.observe(meter: 5, host: 7)
    #expect(fitter.fit == nil)
    fitter.observe(meter: .max, host: .min)
    fitter.observe(meter: 5, host: 9)
    #expect(fitter.fit == nil)
    fitter.observe(meter: 6, host: 8)
    #expect(fitter.fit != nil)
  }
}
