public import KelvinModel

/// How long the workload took: from the start of its process to the moment its end was seen.
public struct ExecutionTime: Instrument {
  public static let declaration = Declaration(
    .instrument, "execution_time",
    summary: "How long the workload took.",
    description: """
      From just before the workload's process starts to the moment its end is seen, on the host's \
      monotonic clock. For a workload without a process, its run stage is measured.
      """,
    metrics: [MetricDeclaration("execution_time", unit: "s", "Length of the measured window.")])

  /// Takes no settings of its own.
  public init(settings: [String: Value]) {}

  public var hooks: [Hook] {
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = job.window else { return }
      job.add(
        Metric(
          "execution_time", .number(Double(window.upperBound - window.lowerBound) / 1e9),
          unit: "s", lowerIsBetter: true, source: name))
    }.hostSide
  }
}
