extension Registry {
  public static let builtInWorkloads: [WorkloadType] = []
}
