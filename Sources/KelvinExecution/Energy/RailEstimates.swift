public import KelvinModel

extension Estimate {
  /// Σ weight·value of rails that were measured in the same interval.
  ///
  /// What one meter, one range and one calibration have in common cancels or adds up by its key. Errors of
  /// the interval's ends and of the clocks are common to all rails, too, but do not say of which sign: they
  /// are added up without cancelling, which is never too little.
  static func rails(
    _ terms: [(weight: Double, estimate: Estimate)], statement: String
  ) -> Estimate {
    var result = Estimate.sum(
      terms.map { weight, estimate in
        var rest = estimate
        rest.budget.components.removeAll(where: \.isOfTime)
        return (weight, rest)
      }, statement: statement)
    var common: [UncertaintyComponent] = []
    for (weight, estimate) in terms {
      for var component in estimate.budget.components where component.isOfTime {
        component.value = abs(weight * component.value)
        if let index = common.firstIndex(where: { $0.name == component.name }) {
          common[index].value += component.value
        } else {
          common.append(component)
        }
      }
    }
    result.budget.components += common
    return result
  }

  /// Output by input, each a sum of rails of the same interval: to first order, y = A/B and ∂y/∂x = a/B − y·b/B
  /// for a rail with weights a in A and b in B, so that what both have in common counts once. Nil when the
  /// input is not clearly different from 0.
  static func efficiency(
    of output: [Int: Double], by input: [Int: Double], _ estimates: [Int: Estimate],
    statement: String
  ) -> Estimate? {
    func sum(_ weights: [Int: Double]) -> Estimate {
      .rails(
        weights.sorted { $0.key < $1.key }.compactMap { rail, weight in
          estimates[rail].map { (weight, $0) }
        }, statement: statement)
    }
    let (a, b) = (sum(output), sum(input))
    guard let plain = Estimate.ratio(of: a, to: b) else { return nil }
    let weights = Set(output.keys).union(input.keys).sorted().compactMap { rail in
      estimates[rail].map { estimate in
        (
          weight: (output[rail] ?? 0) / b.value - plain.value * (input[rail] ?? 0) / b.value,
          estimate: estimate
        )
      }
    }
    var result = Estimate.rails(weights, statement: statement)
    (result.value, result.unit, result.lossBound) = (plain.value, "", plain.lossBound)
    return result
  }

  /// This by a time in seconds: the mean power of an energy; nil for no time.
  public func perSecond(_ seconds: Double) -> Estimate? {
    guard seconds > 0 else { return nil }
    return .sum([(1 / seconds, self)], statement: statement).inUnit("W")
  }

  /// The same number in another unit: a power as the energy of a second.
  public func inUnit(_ unit: String) -> Estimate {
    var result = self
    result.unit = unit
    return result
  }
}
