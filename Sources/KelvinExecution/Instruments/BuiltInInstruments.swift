extension Registry {
  /// The instruments that Kelvin has built in, in the order in which they are listed.
  public static let builtInInstruments: [any Instrument.Type] = [
    ExecutionTime.self,
    CPULoad.self,
    CPUFrequency.self,
    CPUIdle.self,
    Interrupts.self,
    Pressure.self,
    MemoryInfo.self,
    VMStat.self,
    DiskCounters.self,
    NetworkCounters.self,
    Thermal.self,
    Delay.self,
    EnergyMeasurement.self,
    SysfsExtractor.self,
    FilePoller.self,
    PerfStat.self,
    Ftrace.self,
    SerialMonitor.self,
    Logcat.self,
    KernelLog.self,
    FramesPerSecond.self,
    ScreenCapture.self
  ]
}
