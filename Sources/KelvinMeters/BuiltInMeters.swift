/// The drivers that come with Kelvin.
public enum BuiltInMeters {
  /// In the order in which they are looked for.
  public static let all: [any MeterDriver] = [
    HwmonDriver(), PowercapDriver(), PerfDriver(), PowerSupplyDriver(), IIODriver(), IIODDriver(),
    PPK2Driver(), EnergyProbeDriver(), MonsoonDriver(), JS110Driver(), SCPIDriver(),
    CommandDriver()
  ]
}
