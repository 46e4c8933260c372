internal import KelvinMeters
internal import KelvinModel

/// The rails that an attempt's meters measure, and what they are called.
struct MeasuredRails: Sendable, Hashable {
  /// A site of a meter.
  struct Rail: Sendable, Hashable {
    /// Tells it apart from all others of the board.
    var name: String
    var meter: String
    var driver: String
    var site: String

    var classifiers: [String: String] { ["rail": name, "meter": meter] }
  }
  let rails: [Rail]

  /// Names the rails of some meters: by the meter where that has one site, else by the site, with the meter
  /// before it where another has the same.
  ///
  /// - Parameter chosen: only these sites; empty: all.
  init(
    _ meters: [(identity: MeterIdentity, sites: [String])], chosen: [String] = []
  ) throws(PlainFailure) {
    let all = meters.flatMap(\.sites)
    for site in chosen where !all.contains(site) {
      throw PlainFailure(
        .configuration, "sites: no meter has a site '\(site)'",
        hint: "there are \(all.joined(separator: ", "))")
    }
    rails = meters.flatMap { meter in
      meter.sites.filter { chosen.isEmpty || chosen.contains($0) }.map { site in
        let name =
          meter.sites.count == 1
          ? meter.identity.name
          : all.count { $0 == site } == 1 ? site : "\(meter.identity.name)/\(site)"
        return Rail(
          name: name, meter: meter.identity.name, driver: meter.identity.driver, site: site)
      }
    }
  }

  /// The rail that a name means: its own, its site where no other meter has it, or METER/SITE.
  ///
  /// - Throws: `configuration` with the names that there are, and the derived ones.
  func index(of name: String, besides derived: [String] = []) throws(PlainFailure) -> Int {
    if let index = rails.firstIndex(where: { $0.name == name || "\($0.meter)/\($0.site)" == name })
    {
      return index
    }
    let meant = rails.indices.filter { rails[$0].site == name }
    if meant.count == 1 { return meant[0] }
    let known = rails.map(\.name) + derived
    throw PlainFailure(
      .configuration, "rails: there is no rail '\(name)'",
      hint: NearestName.hint(for: name, in: known))
  }

  /// What the board uses as a whole, as weights of rails: the derived rail `total`, or the only one; of RAPL's
  /// domains, which lie within each other, the whole platform, else all packages. Nil when nothing says.
  func board(_ derived: DerivedRails) throws(PlainFailure) -> [Int: Double]? {
    if derived.sums["total"] != nil {
      return try derived.weights(of: "total") { name throws(PlainFailure) in try index(of: name) }
    }
    if rails.count == 1 { return [0: 1] }
    guard Set(rails.map(\.meter)).count == 1, rails.allSatisfy({ $0.driver == "rapl" }) else {
      return nil
    }
    if let platform = rails.firstIndex(where: { $0.site == "psys" }) { return [platform: 1] }
    let packages = rails.indices.filter {
      rails[$0].site.hasPrefix("package") && !rails[$0].site.contains("/")
    }
    return packages.isEmpty
      ? nil : Dictionary(uniqueKeysWithValues: packages.map { ($0, 1) })
  }
}
