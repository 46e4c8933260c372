/// The drivers that come with Kelvin.
public enum BuiltInMeters {
  /// In the order in which they are looked for.
  public static let all: [any MeterDriver] = [
    HwmonDriver(), PowercapDriver(), PerfDriver(), PowerSupplyDriver(), IIODriver(), IIODDriver(),
    PPK2Driver(), EnergyProbeDriver(), MonsoonDriver(), KM003CDriver(), JS110Driver(), SCPIDriver(),
    TC66Driver(), UMDriver(), YZXDriver(), FNIRSIDriver(), OtiiDriver(), PlugDriver(),
    YoctopuceDriver(), SigrokDriver(),
    CommandDriver()
  ]
}
