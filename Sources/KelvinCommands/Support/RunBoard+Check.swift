internal import Glibc
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets

// What a plan asks of its board, before anything is touched; and what images are deployed with.
extension RunBoard {
  /// Refuses a plan that has jobs which this board cannot run.
  func check(_ plan: Plan) throws(PlainFailure) {
    try checkDeployments(plan)
    for spec in plan.specs {
      guard let detached = spec.detached, let problem = link.problem(with: detached) else {
        continue
      }
      let place = spec.provenance["link"] ?? spec.provenance["workload"]
      throw PlainFailure(
        .configuration,
        (place.map { "\($0): " } ?? "") + "spec '\(spec.id)' \(problem.text)", hint: problem.hint)
    }
  }

  private func checkDeployments(_ plan: Plan) throws(PlainFailure) {
    guard plan.deploys else { return }
    for spec in plan.specs {
      guard let deployment = spec.deployment else { continue }
      let place = spec.provenance["deploy.by"] ?? spec.provenance["workload"]
      let start = (place.map { "\($0): " } ?? "") + "spec '\(spec.id)': "
      guard isExclusive else {
        throw PlainFailure(
          .configuration, start + "this machine runs Kelvin, and nothing is deployed to it",
          hint: "name a board of the bench: --board")
      }
      let way: Deployment.Way
      do throws(Deployment.Refusal) { way = try deploy.way(of: deployment) } catch {
        throw PlainFailure(
          .configuration, start + "\(name) cannot be deployed to: \(error.message)",
          hint: error.hint)
      }
      if let missing = missingEquipment(for: way) {
        throw PlainFailure(
          .configuration, start + "\(name) cannot be deployed to by '\(way.rawValue)'",
          hint: "add \(missing) to its bench entry")
      }
      if let problem = deployment.contradictions(of: way).first {
        throw PlainFailure(
          .configuration, start + "\(problem.key): \(problem.message)", hint: problem.hint)
      }
      if let path = deployment.kernel, let architecture = profile?.architecture,
        let image = try? KernelImage.read(path), !image.runs(on: architecture)
      {
        throw PlainFailure(
          .configuration,
          start + "\(path): is a kernel for \(image.machine), and \(name) is \(architecture)")
      }
    }
    if deploy.options[.uboot]?["boots_itself"]?.boolean == false,
      plan.settings.rebootPolicy != .asNeeded
    {
      throw PlainFailure(
        .configuration,
        "reboot_policy is \(plan.settings.rebootPolicy.rawValue), and \(name) boots nothing by itself",
        hint: "write 'reboot_policy: as_needed'")
    }
    if deploy.options[.uboot]?["boots_itself"]?.boolean == false,
      let bare = plan.specs.first(where: { $0.deployment == nil })
    {
      throw PlainFailure(
        .configuration, "spec '\(bare.id)' deploys nothing, and \(name) boots nothing by itself")
    }
    let ways = deploy
    if let mix = plan.mixedDeployment({ try? ways.way(of: $0) }) {
      throw PlainFailure(.configuration, mix.text, hint: mix.hint)
    }
  }

  /// What a way needs beside its options, and the bench does not have.
  private func missingEquipment(for way: Deployment.Way) -> String? {
    switch way {
    case .uboot where entry?.bootloader?.driver != "uboot": "'bootloader: uboot'"
    case .fastboot where entry.flatMap({ try? BootloaderOptions.address(of: $0) }) == nil:
      "'bootloader: {fastboot: ...}'"
    case .sdMux where equipment.power == nil: "'power'"
    default: nil
    }
  }

  /// Says that a board still runs what was deployed into its memory; nil when it does not.
  func leftImage(on target: Target, until deadline: Deadline) async throws -> String? {
    guard isExclusive, let resource = resources.first?.resource,
      access("\(StateDirectory.path())/\(BenchStore.fileName)", F_OK) == 0,
      let last = try BenchDeployments(resource).last(), last.isVolatile,
      last.isInMemory(in: try await target.bootID(until: deadline))
    else { return nil }
    let verb = last.boardBootID.isEmpty ? "may still run" : "still runs"
    let way =
      deploy.options[.uboot]?["boots_itself"]?.boolean == false
      ? "" : ", until 'kelvin target reboot \(name)' or a run that deploys nothing"
    return "\(name): \(verb) what was deployed by \(last.way) in run \(last.run)\(way)"
  }

  /// What a run deploys with; nil where none of its jobs does, and nothing that was is left in memory.
  func deployEquipment(for plan: Plan) throws(StoreFailure) -> DeployEquipment? {
    guard isExclusive, let resource = resources.first?.resource else { return nil }
    // No bench database is made for the question.
    guard
      plan.deploys || access("\(StateDirectory.path())/\(BenchStore.fileName)", F_OK) == 0
    else { return nil }
    let journal = try BenchDeployments(resource)
    if !plan.deploys, !(try journal.hasVolatile()) { return nil }
    var equipment = DeployEquipment(ways: deploy, journal: journal)
    guard let entry else { return equipment }
    if entry.bootloader?.driver == "uboot",
      let (line, options) = try? TargetUBootCommand.line(of: entry, .current)
    {
      equipment.openUBoot = { deadline throws(ConnectionFailure) in
        UBootShell(try line.open(until: deadline), options: options)
      }
    }
    equipment.fastboot = try? BootloaderOptions.address(of: entry)
    return equipment
  }
}
