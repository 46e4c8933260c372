internal import KelvinModel

/// Each command is one that the source beside it has; none of these instruments has met Kelvin.
extension SCPIProfile {
  /// All of them; the last one is that of instruments that no other fits.
  static let builtIn: [SCPIProfile] = [
    n6705, dp800, dm3068, spd3303, sdm3055, ngm202, hmc8043, generic
  ]

  static let names = builtIn.map(\.name)

  /// The profile of an instrument, by what it says of itself.
  static func of(_ identity: SCPIIdentity) -> SCPIProfile {
    builtIn.first { $0.fits(identity) } ?? generic
  }

  private static func separate(
    _ voltage: String, _ current: String, _ power: String? = nil
  ) -> [Reading] {
    let all =
      [(voltage, MeterChannel.Kind.voltage), (current, .current)]
      + [power].compactMap { $0.map { ($0, .power) } }
    return all.map { Reading(query: $0.0, kinds: [$0.1]) }
  }

  /// microsoft/Qcodes, instrument_drivers/Keysight/Keysight_N6705B.py: what reads and sets, with lists of
  /// channels. Over-current protection acts at the current limit; logging: Keysight, N6700C Operating and
  /// Service Guide, "External Data Logging".
  static let n6705 = SCPIProfile(
    name: "keysight-n6705", title: "Keysight N6705 and N6700",
    manufacturers: ["KEYSIGHT", "AGILENT"], models: ["N6705", "N670"], channels: 4,
    readings: separate("MEAS:VOLT? (@{channel})", "MEAS:CURR? (@{channel})"),
    usual: [.voltage, .current],
    voltage: Setting(query: "VOLT? (@{channel})", set: "VOLT {value},(@{channel})"),
    currentLimit: Setting(query: "CURR? (@{channel})", set: "CURR {value},(@{channel})"),
    overVoltage: Protection(
      level: Setting(query: "VOLT:PROT? (@{channel})", set: "VOLT:PROT {value},(@{channel})")),
    overCurrent: Protection(
      state: Switch(
        query: "CURR:PROT:STAT? (@{channel})", on: "CURR:PROT:STAT ON,(@{channel})",
        off: "CURR:PROT:STAT OFF,(@{channel})")),
    output: Switch(
      query: "OUTP? (@{channel})", on: "OUTP ON,(@{channel})", off: "OUTP OFF,(@{channel})"),
    logger: .elog,
    source: "QCoDeS Keysight_N6705B.py; Keysight N6700C Operating and Service Guide")

  /// Rigol, DP800 Programming Guide: `:OUTPut:OVP:VALue` and others take a channel; sigrokproject/libsigrok,
  /// src/hardware/scpi-pps/profiles.c has the rest. Raw sockets are at port 5555.
  static let dp800 = SCPIProfile(
    name: "rigol-dp800", title: "Rigol DP800", manufacturers: ["RIGOL"], models: ["DP8"],
    port: 5555, channels: 3, select: ":INST:NSEL {channel}",
    readings: [
      Reading(query: ":MEAS:ALL? CH{channel}", kinds: [.voltage, .current, .power])
    ] + separate(":MEAS:VOLT? CH{channel}", ":MEAS:CURR? CH{channel}", ":MEAS:POWE? CH{channel}"),
    usual: [.voltage, .current, .power],
    voltage: Setting(query: ":SOUR:VOLT?", set: ":SOUR:VOLT {value}"),
    currentLimit: Setting(query: ":SOUR:CURR?", set: ":SOUR:CURR {value}"),
    overVoltage: Protection(
      level: Setting(
        query: ":OUTP:OVP:VAL? CH{channel}", set: ":OUTP:OVP:VAL CH{channel},{value}"),
      state: Switch(
        query: ":OUTP:OVP? CH{channel}", on: ":OUTP:OVP CH{channel},ON",
        off: ":OUTP:OVP CH{channel},OFF")),
    overCurrent: Protection(
      level: Setting(
        query: ":OUTP:OCP:VAL? CH{channel}", set: ":OUTP:OCP:VAL CH{channel},{value}"),
      state: Switch(
        query: ":OUTP:OCP? CH{channel}", on: ":OUTP:OCP CH{channel},ON",
        off: ":OUTP:OCP CH{channel},OFF")),
    output: Switch(
      query: ":OUTP? CH{channel}", on: ":OUTP CH{channel},ON", off: ":OUTP CH{channel},OFF"),
    errors: ":SYST:ERR?", source: "Rigol DP800 Programming Guide; libsigrok scpi-pps")

  /// Rigol's own example for DM3058 and DM3068, which waits for 3 s after the function was chosen: `settle` does.
  static let dm3068 = SCPIProfile(
    name: "rigol-dm3068", title: "Rigol DM3058 and DM3068", manufacturers: ["RIGOL"],
    models: ["DM3"], port: 5555,
    readings: [
      Reading(
        query: ":MEAS:CURR:DC?", kinds: [.current], prepare: ["CMDS RIGOL", ":FUNC:CURR:DC"]),
      Reading(
        query: ":MEAS:VOLT:DC?", kinds: [.voltage], prepare: ["CMDS RIGOL", ":FUNC:VOLT:DC"])
    ],
    usual: [.current], errors: nil, source: "Rigol's example for DM3058 and DM3068")

  /// pymeasure/pymeasure, instruments/siglenttechnologies/siglent_spdbase.py; the register's bits of outputs:
  /// labgrid-project/labgrid, labgrid/driver/power/siglent.py. It has no command for protection.
  static let spd3303 = SCPIProfile(
    name: "siglent-spd3303", title: "Siglent SPD3303", manufacturers: ["SIGLENT"],
    models: ["SPD3"], channels: 2,
    readings: separate(
      "MEAS:VOLT? CH{channel}", "MEAS:CURR? CH{channel}", "MEAS:POWE? CH{channel}"),
    usual: [.voltage, .current],
    voltage: Setting(query: "CH{channel}:VOLT?", set: "CH{channel}:VOLT {value}"),
    currentLimit: Setting(query: "CH{channel}:CURR?", set: "CH{channel}:CURR {value}"),
    output: Switch(
      query: "SYST:STAT?", bit: 4, on: "OUTP CH{channel},ON", off: "OUTP CH{channel},OFF"),
    source: "PyMeasure siglent_spdbase.py; labgrid siglent.py")

  /// Siglent, SDM3055 Remote Manual: CONFigure, then READ? for each value.
  static let sdm3055 = SCPIProfile(
    name: "siglent-sdm3055", title: "Siglent SDM3045X, SDM3055 and SDM3065X",
    manufacturers: ["SIGLENT"], models: ["SDM3"],
    readings: [
      Reading(query: "READ?", kinds: [.current], prepare: ["CONF:CURR:DC"]),
      Reading(query: "READ?", kinds: [.voltage], prepare: ["CONF:VOLT:DC"])
    ],
    usual: [.current], source: "Siglent SDM3055 Remote Manual")

  /// Rohde & Schwarz's example of the fast log (Powersupplies/Python/RsInstrument in their collection of
  /// examples), and the NGL200/NGM200 User Manual.
  static let ngm202 = SCPIProfile(
    name: "rs-ngm202", title: "Rohde & Schwarz NGM200 and NGL200", manufacturers: ["ROHDE"],
    models: ["NGM", "NGL"], channels: 2, select: "INST OUT{channel}",
    readings: separate("MEAS:VOLT?", "MEAS:CURR?"), usual: [.voltage, .current],
    voltage: Setting(query: "VOLT?", set: "VOLT {value}"),
    currentLimit: Setting(query: "CURR?", set: "CURR {value}"),
    overVoltage: fuses.voltage, overCurrent: fuses.current,
    output: Switch(query: "OUTP?", on: "OUTP 1", off: "OUTP 0"), logger: .fastLog,
    source: "Rohde & Schwarz's FastLog example; NGL200/NGM200 User Manual")

  /// sigrokproject/libsigrok, src/hardware/scpi-pps/profiles.c, rs_hmc8043_cmd.
  static let hmc8043 = SCPIProfile(
    name: "rs-hmc8043", title: "Rohde & Schwarz HMC8041 to HMC8043", manufacturers: ["ROHDE"],
    models: ["HMC804"], channels: 3, select: "INST:NSEL {channel}",
    readings: separate("MEAS:VOLT?", "MEAS:CURR?"), usual: [.voltage, .current],
    voltage: Setting(query: "VOLT?", set: "VOLT {value}"),
    currentLimit: Setting(query: "CURR?", set: "CURR {value}"),
    overVoltage: fuses.voltage, overCurrent: fuses.current,
    output: Switch(query: "OUTP?", on: "OUTP ON", off: "OUTP OFF"),
    source: "libsigrok scpi-pps")

  /// The electronic fuses of Rohde & Schwarz's, which trip at the current limit (libsigrok, rs_hmc8043_cmd).
  private static let fuses = (
    voltage: Protection(
      level: Setting(query: "VOLT:PROT:LEV?", set: "VOLT:PROT:LEV {value}"),
      state: Switch(query: "VOLT:PROT:STAT?", on: "VOLT:PROT:STAT ON", off: "VOLT:PROT:STAT OFF")),
    current: Protection(
      state: Switch(query: "FUSE:STAT?", on: "FUSE:STAT ON", off: "FUSE:STAT OFF"))
  )

  /// A supply with one output, in the words of SCPI 1999.
  static let generic = SCPIProfile(
    name: "generic", title: "Any other supply or meter with one channel",
    readings: separate("MEAS:VOLT?", "MEAS:CURR?", "MEAS:POW?"), usual: [.voltage, .current],
    voltage: Setting(query: "VOLT?", set: "VOLT {value}"),
    currentLimit: Setting(query: "CURR?", set: "CURR {value}"),
    overVoltage: Protection(
      level: Setting(query: "VOLT:PROT?", set: "VOLT:PROT {value}")),
    overCurrent: Protection(
      state: Switch(query: "CURR:PROT:STAT?", on: "CURR:PROT:STAT ON", off: "CURR:PROT:STAT OFF")),
    output: Switch(query: "OUTP?", on: "OUTP ON", off: "OUTP OFF"), source: "SCPI 1999")
}
