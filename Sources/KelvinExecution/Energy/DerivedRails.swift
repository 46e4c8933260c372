internal import KelvinModel

/// Rails that are sums of others, and efficiencies, as an agenda names them.
struct DerivedRails: Sendable, Hashable {
  let sums: [String: RailSum]
  let ratios: [String: RailRatio]

  /// Reads them.
  ///
  /// - Throws: `configuration` for what cannot be read, and for rails that are sums of themselves.
  init(sums: [String: String] = [:], ratios: [String: String] = [:]) throws(PlainFailure) {
    var read: [String: RailSum] = [:]
    for (name, text) in sums { read[name] = try RailSum(text, of: "rails: \(name)") }
    self.sums = read
    var quotients: [String: RailRatio] = [:]
    for (name, text) in ratios { quotients[name] = try RailRatio(text, of: "efficiency: \(name)") }
    self.ratios = quotients
    var sound: Set<String> = []
    for name in read.keys.sorted() { try checkCycle(name, path: [name], &sound) }
  }

  /// In the order of their names.
  var names: [String] { sums.keys.sorted() }

  private func checkCycle(
    _ name: String, path: [String], _ sound: inout Set<String>
  ) throws(PlainFailure) {
    for term in sums[name]?.terms ?? [] where sums[term.name] != nil && !sound.contains(term.name) {
      if path.contains(term.name) {
        throw PlainFailure(
          .configuration,
          "rails: \((path + [term.name]).joined(separator: ", which is of ")): a rail of itself",
          hint: "a derived rail needs a name of its own")
      }
      try checkCycle(term.name, path: path + [term.name], &sound)
    }
    sound.insert(name)
  }

  /// What a rail is of those that are measured, each with its weight: what several of its terms share is
  /// put together, so that it counts once.
  ///
  /// - Parameter measured: gives the measured rail that a name means.
  /// - Throws: `configuration` for a name that means none.
  func weights(
    of name: String, measured: (String) throws(PlainFailure) -> Int
  ) throws(PlainFailure) -> [Int: Double] {
    var known: [String: [Int: Double]] = [:]
    return try weights(of: name, &known, measured)
  }

  private func weights(
    of name: String, _ known: inout [String: [Int: Double]],
    _ measured: (String) throws(PlainFailure) -> Int
  ) throws(PlainFailure) -> [Int: Double] {
    guard let sum = sums[name] else { return [try measured(name): 1] }
    if let weights = known[name] { return weights }
    var weights: [Int: Double] = [:]
    for term in sum.terms {
      for (rail, weight) in try self.weights(of: term.name, &known, measured) {
        weights[rail, default: 0] += term.weight * weight
      }
    }
    known[name] = weights
    return weights
  }
}
