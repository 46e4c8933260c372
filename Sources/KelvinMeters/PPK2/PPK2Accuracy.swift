internal import KelvinModel

/// How far a PPK2's values may be off.
enum PPK2Accuracy {
  /// Of currents, whichever range they are in: Nordic's typical figures are 10 % in ranges 0 to 3 and 15 % in
  /// range 4, and 0.2 µA at the lower end (as tipoLi5890/ppk2lab 0.5.1, capture/stats.py, gives them). A
  /// channel has one accuracy: that of its worst range.
  static let typical = Accuracy(
    gain: 0.15, offset: 0.2e-6,
    source: "Nordic's typical figures for the worst range; not guaranteed")

  /// What is taken for how far its own supply may be off where nobody says: an assumption.
  static let supplyTolerance = 0.01
  /// The same of a supply that somebody has named a voltage of.
  static let otherTolerance = 0.05

  /// Of a voltage that nothing measures.
  static func voltage(_ stated: StatedQuantity, _ mode: PPK2Mode) -> Accuracy {
    if let limit = stated.limit {
      return Accuracy(gain: 0, offset: limit, resolution: 0, source: "as stated; not measured")
    }
    let tolerance = mode == .source ? supplyTolerance : otherTolerance
    return Accuracy(
      gain: tolerance, offset: 0, resolution: 0,
      source: "not measured; within \(tolerance * 100) %, which is assumed")
  }
}
