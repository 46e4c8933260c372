import KelvinSimulators
import Testing

@Suite struct PlantModelTests {
  let model = PlantModel()

  @Test func drawsTheStatedPowersAtFullLoad() {
    let activity = [CPUActivity(1400, load: 1), CPUActivity(2400, load: 1)]
    #expect(abs(model.power(cpus: activity, temperature: 25, at: 0) - (0.8 + 1.5 + 6.0)) < 1e-9)
  }

  @Test func drawsIdlePowerWithoutLoadWhateverTheFrequency() {
    for megahertz in [0.0, 600, 2400, 9000] {
      let activity = [CPUActivity(megahertz, load: 0), CPUActivity(megahertz, load: 0)]
      #expect(abs(model.power(cpus: activity, temperature: 25, at: 0) - 0.95) < 1e-9)
    }
  }

  @Test(arguments: [
    (600, 0.4), (800, 0.65), (1000, 0.9), (1200, 1.2), (1400, 1.5), (100, 0.4), (5000, 1.5)
  ])
  func interpolatesBetweenPointsAndHoldsTheEnds(megahertz: Double, watts: Double) {
    let power = model.power(cpus: [CPUActivity(megahertz, load: 1)], temperature: 25, at: 0)
    #expect(abs(power - (0.8 + 0.10 + watts)) < 1e-9)
  }

  @Test func leaksMoreWhenHot() {
    let cold = model.power(cpus: [], temperature: 25, at: 0)
    let hot = model.power(cpus: [], temperature: 75, at: 0)
    #expect(abs(hot / cold - 1.1) < 1e-9)
  }

  @Test func approachesTheEndTemperatureExponentially() {
    // 4 W through 5 K/W: 20 K above 25 °C; one time constant covers 1 - 1/e of it.
    let after = model.temperature(from: 25, power: 4, after: 20)
    #expect(abs(after - (25 + 20 * (1 - 1 / 2.718281828459045))) < 1e-6)
    // The same in many small steps: the closed form does not depend on the tick.
    var small = 25.0
    for _ in 0..<2000 { small = model.temperature(from: small, power: 4, after: 0.01) }
    #expect(abs(small - after) < 1e-6)
  }

  @Test(arguments: [
    (PlantModel.Wave.Shape.square, 2.0), (.sine, 1.0), (.ramp, 1.0)
  ])
  func wavesHaveTheirMeanOverAPeriod(shape: PlantModel.Wave.Shape, mean: Double) {
    let wave = PlantModel.Wave(shape, amplitude: shape == .square ? 4 : 2, period: 0.5)
    let sum = (0..<1000).reduce(0.0) { $0 + wave.watts(at: (Double($1) + 0.5) * 0.0005) }
    #expect(abs(sum / 1000 - mean) < 0.01)
  }

  @Test func namesWhatIsWrongWithAModel() {
    #expect(PlantModel().mistake == nil)
    #expect(PlantModel(base: -1).mistake != nil)
    #expect(PlantModel(base: .nan).mistake != nil)
    #expect(PlantModel(cpus: [.init(idle: 0, points: [])]).mistake != nil)
    #expect(PlantModel(thermal: .init(timeConstant: 0)).mistake != nil)
    #expect(PlantModel(wave: .init(.sine, amplitude: 1, period: 0)).mistake != nil)
  }
}
