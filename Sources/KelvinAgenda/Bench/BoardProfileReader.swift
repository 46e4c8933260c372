internal import KelvinModel

/// Turns a board profile's located values into a profile, and finds what contradicts itself.
struct BoardProfileReader {
  private let owner: String
  private let name: String

  init(name: String) {
    self.name = name
    owner = "board profile \(LocatedValue.quoted(name))"
  }

  /// The profile; incomplete after mistakes.
  func read(_ root: LocatedValue, _ checker: inout ValueChecker) -> BoardProfile? {
    let map = ProfileMap(root, ProfileKeys.board, apart: ["clusters"], as: owner, &checker)
    let clusters = readClusters(map, &checker)
    guard let title = map.text("title"),
      let platform = map.text("platform").flatMap(BoardProfile.Platform.init(rawValue:))
    else { return nil }
    var profile = BoardProfile(
      name: name, title: title, platform: platform,
      location: SourceLocation(file: root.location.file))
    profile.architecture = map.text("architecture")
    profile.clusters = clusters
    profile.consoleBaud = map.values["console"]?.map?["baud"]?.integer.map(Int.init)
    profile.bootLoader = readBootLoader(map, &checker)
    if let login = map.values["login"]?.map {
      profile.login = Login(prompt: login["prompt"]?.text, user: login["user"]?.text)
    }
    profile.shellPrompt = map.text("shell_prompt")
    profile.settings = map.texts("settings")
    if let ladder = map.written("recovery") {
      profile.recovery = RecoveryReader(owner: owner).read(ladder, &checker)
        .map { RecoveryLadder($0.map(\.plan)) }
    }
    profile.deploy = DeployWays(map.values["deploy"]?.map ?? [:])
    profile.quirks = map.texts("quirks")
    profile.notes = map.texts("notes")
    profile.verified = map.text("verified")
    if platform == .bootLoader, map.written("boot_loader") == nil {
      checker.diagnostics.error(
        map.place("platform"),
        "\(owner): the platform is 'boot-loader', but 'boot_loader' is missing")
    }
    return profile
  }

  private func readBootLoader(_ map: ProfileMap, _ checker: inout ValueChecker) -> BootLoader? {
    guard let values = map.values["boot_loader"]?.map, let name = values["name"]?.text
    else { return nil }
    let loader = BootLoader(
      name: name, prompt: values["prompt"]?.text, stopAt: values["stop_at"]?.text,
      stopWith: values["stop_with"]?.text)
    if (loader.stopAt == nil) != (loader.stopWith == nil) {
      checker.diagnostics.error(
        map.place("boot_loader"),
        "\(owner): boot_loader: 'stop_at' and 'stop_with' need each other")
    }
    return loader
  }

  // MARK: clusters

  private func readClusters(_ map: ProfileMap, _ checker: inout ValueChecker) -> [CPUCluster] {
    let parts = map.elements("clusters", ProfileKeys.cluster, named: "cluster", &checker)
    checker.refuseRepeats(parts, of: "cluster", as: owner)
    var clusters: [CPUCluster] = []
    /// Of each CPU.
    var places: [Int: (cluster: String, location: SourceLocation)] = [:]
    for part in parts {
      guard let cluster = readCluster(part, &checker) else { continue }
      for cpu in cluster.cpus {
        guard let earlier = places[cpu] else {
          places[cpu] = (cluster.name, part.place("cpus"))
          continue
        }
        checker.diagnostics.error(
          part.place("cpus"),
          "\(owner): CPU \(cpu) is in cluster \(LocatedValue.quoted(cluster.name)) and, at "
            + "\(earlier.location), in cluster \(LocatedValue.quoted(earlier.cluster))")
        break
      }
      clusters.append(cluster)
    }
    // With a cluster missing, or a CPU in two, the sum says nothing.
    let sum = clusters.reduce(0) { $0 + $1.cpus.count }
    if clusters.count == parts.count, !parts.isEmpty, places.count == sum {
      checkSum(map, sum, &checker)
      checkCapacities(map, clusters, &checker)
    }
    return clusters
  }

  private func checkSum(_ map: ProfileMap, _ sum: Int, _ checker: inout ValueChecker) {
    guard let count = map.values["cpus"]?.integer, count != sum else { return }
    checker.diagnostics.error(
      map.place("cpus"), "\(owner): 'cpus' is \(count), but the clusters have \(sum)",
      hint: "the clusters are described at \(map.place("clusters"))")
  }

  private func checkCapacities(
    _ map: ProfileMap, _ clusters: [CPUCluster], _ checker: inout ValueChecker
  ) {
    let capacities = clusters.compactMap(\.capacity)
    guard capacities.count == clusters.count, let highest = capacities.max(), highest != 1024
    else { return }
    checker.diagnostics.error(
      map.place("clusters"),
      "\(owner): the highest capacity is \(highest), but the fastest core's is 1024 by definition")
  }

  private func readCluster(_ part: ProfileMap, _ checker: inout ValueChecker) -> CPUCluster? {
    guard let name = part.text("name"), let list = part.text("cpus") else { return nil }
    guard let cpus = CPUList.parse(list), !cpus.isEmpty else {
      checker.diagnostics.error(
        part.place("cpus"),
        "\(part.owner): cpus: expected CPU numbers such as '0-3,6', found "
          + LocatedValue.quoted(list))
      return nil
    }
    var cluster = CPUCluster(name: name, kind: part.text("kind"), cpus: cpus)
    cluster.capacity = part.values["capacity"]?.integer.map(Int.init)
    let frequencies = part.values["frequencies"]?.list?.compactMap(\.number) ?? []
    cluster.frequenciesInHertz = frequencies.sorted()
    if Set(frequencies).count != frequencies.count {
      checker.diagnostics.error(
        part.place("frequencies"), "\(part.owner): frequencies: one is listed twice")
    }
    if let range = part.values["frequency"]?.map {
      cluster.frequencyRangeInHertz = checker.range(
        range["min"], range["max"], at: part.place("frequency"), as: "\(part.owner): frequency")
    }
    guard let lowest = cluster.frequenciesInHertz.first,
      let highest = cluster.frequenciesInHertz.last
    else { return cluster }
    let ends = lowest...highest
    if let range = cluster.frequencyRangeInHertz, range != ends {
      checker.diagnostics.error(
        part.place("frequency"),
        "\(part.owner): 'frequency' has other ends than 'frequencies' at "
          + "\(part.place("frequencies"))", hint: "leave 'frequency' out")
    }
    if part.written("frequency") == nil { cluster.frequencyRangeInHertz = ends }
    return cluster
  }
}
