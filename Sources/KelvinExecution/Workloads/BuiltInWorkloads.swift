extension Registry {
  /// The workloads that come with Kelvin, listed here and nowhere else.
  public static let builtInWorkloads: [WorkloadType] = [
    Recipe.command.type,
    Recipe.shellScript.type,
    Idle.type,
    Boot.type,
    Recipe.apache.type,
    Recipe.dhrystone.type,
    Recipe.fio.type,
    Recipe.hackbench.type,
    Recipe.lmbench.type,
    Recipe.memcpy.type,
    Recipe.openssl.type,
    Recipe.rtApp.type,
    Recipe.schbench.type,
    Recipe.stressNG.type,
    Recipe.suspend.type,
    Recipe.sysbench.type
  ]

  /// Debian packages that the workloads need, sorted.
  public var debianPackages: [String] {
    Set(workloads.flatMap { $0.requirements.compactMap(\.package) }).sorted()
  }
}
