internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

extension DeployEquipment {
  /// Runs the bench's own command for deploying; it finds what to deploy in its environment:
  /// `KELVIN_BOARD`, and `KELVIN_DEPLOY_KERNEL` and so on, for each key of the agenda that is written.
  func runCommand(
    _ images: DeployImages, board: String, interrupt: Interrupt
  ) async throws {
    let argv = words(.command, "argv")
    var environment = ["KELVIN_BOARD": board]
    for (key, value) in images.deployment.values where key != "by" && key != "verify" {
      environment["KELVIN_DEPLOY_\(key.uppercased())"] = value
    }
    let result = try await LocalConnection().execute(
      Command(
        argv, environment: environment, standardOutput: .capture(limit: 65_536),
        standardError: .capture(limit: 65_536)),
      until: .after(seconds: option(.command, "timeout")?.number ?? 600, interrupt: interrupt))
    try DeployEquipment.check(result, argv, board)
  }
}
