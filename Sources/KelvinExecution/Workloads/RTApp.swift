internal import KelvinModel

extension Recipe {
  /// rt-app: synthetic real-time loads.
  static let rtApp = Recipe(
    Declaration(
      .workload, "rt-app", aliases: ["rt_app", "rtapp"],
      summary: "A synthetic load described by a JSON file of yours: rt-app.",
      description: """
        The configuration is brought to the target and run there. Its logs stay on the target unless \
        its 'logdir' says otherwise.
        """,
      options: [
        OptionDeclaration("config", .path, required: true, "The JSON configuration, on the host."),
        OptionDeclaration(
          "loop_duration", .quantity(.time, bare: "s"),
          "Not changed in the configuration; named by Workload Automation as duration.")
      ]),
    requirements: [Requirement("rt-app", package: "rt-app")],
    files: { parameters in parameters.text("config").map { [$0] } ?? [] },
    argv: { parameters in ["rt-app", parameters.text("config") ?? ""] })
}
