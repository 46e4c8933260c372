internal import KelvinModel

// What a job asks of its board besides settings: its link, its image.
extension PlanBuilder {
  /// A workload that the link does not outlive is detached; no detached job has what reads the board
  /// meanwhile.
  mutating func checkLink(
    _ level: inout MergedLevel, of declaration: Declaration, id: String, at place: SourceLocation
  ) {
    if declaration.linkUse == .loses, level.detached == nil {
      if let written = level.provenance["link"] {
        checker.diagnostics.error(
          written, "spec '\(id)': the link does not live through '\(declaration.name)'",
          hint: "write 'link: detached' in its entry")
      }
      level.detached = DetachedLink()
    }
    guard level.detached != nil else { return }
    for index in level.augmentations
    where declarations.augmentations[index].linkUse == .needs {
      let name = declarations.augmentations[index].name
      checker.diagnostics.error(
        level.provenance[keys.augmentation(index)] ?? place,
        "spec '\(id)' is detached, and '\(name)' reads the board through its link",
        hint: "write 'augmentations: [~\(name)]' in the workload entry, or measure from outside")
    }
  }

  /// Images that cannot be deployed, each combination told once.
  mutating func checkDeployment(
    _ deployment: Deployment?, _ level: MergedLevel, id: String, at place: SourceLocation
  ) {
    guard let deployment, checkedDeployments.insert(deployment).inserted else { return }
    let problems = deployment.contradictions
    for problem in problems + declarations.checkImages(deployment) {
      checker.diagnostics.error(
        level.provenance[keys["deploy", problem.key]] ?? place,
        "spec '\(id)': deploy: \(problem.key): \(problem.message)", hint: problem.hint)
    }
    if request.isLocalTarget {
      checker.diagnostics.error(
        level.deploy.keys.compactMap { level.provenance[keys["deploy", $0]] }.min {
          $0.line < $1.line
        }
          ?? place,
        "spec '\(id)': deploy: this machine runs Kelvin, and nothing is deployed to it",
        hint: "name a board of the bench: --board")
    }
  }

  /// What cannot be in one run with a deployment.
  mutating func checkDeployments() {
    guard let first = specs.first(where: { $0.deployment != nil }) else { return }
    let place =
      first.provenance.filter { $0.key.hasPrefix("deploy.") }.min { $0.key < $1.key }?.value
      ?? SourceLocation(file: request.agendaPath)
    if settings.rebootPolicy == .never {
      checker.diagnostics.error(
        settings.provenance["reboot_policy"] ?? place,
        "'reboot_policy' is never, and spec '\(first.id)' deploys an image, which boots the board")
    }
    let plan = Plan(settings: settings, specs: specs, jobs: [])
    if let mix = plan.mixedDeployment({ $0.way }) {
      checker.diagnostics.error(
        mix.provenance["deploy"] ?? mix.provenance["workload"] ?? place, mix.text, hint: mix.hint)
    }
  }
}
