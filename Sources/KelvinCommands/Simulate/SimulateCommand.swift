internal import ArgumentParser

/// `kelvin simulate`: what stands in for hardware.
struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Stands in for hardware that is not there.",
    discussion: """
      EXAMPLES
        kelvin simulate relay > relay.yaml                  a relay board, and a bench file for it
        kelvin simulate plug --model shelly2 > plug.yaml    a plug
        kelvin simulate console > console.yaml              a board with a serial console
        kelvin simulate adbd --port 5601                    a device for adb
        kelvin simulate fastboot --tcp 5554                 a board in its boot loader
        kelvin simulate iiod --truth truth.csv              a daemon with current sensors
        kelvin simulate ppk2 > ppk2.yaml                    a Power Profiler Kit II
        kelvin simulate energy-probe > probe.yaml           an Arm Energy Probe
        kelvin simulate monsoon > monsoon.yaml              a Monsoon, as a USB device of the bench host
        kelvin simulate power-z > tester.yaml               a POWER-Z, the same way
        kelvin simulate fnirsi > tester.yaml                FNIRSI's, the same way
        kelvin simulate joulescope > analyzer.yaml          a Joulescope JS110, the same way
        kelvin simulate scpi > psu.yaml                     a bench supply
        kelvin simulate usb-tester > tester.yaml            a USB tester
        kelvin simulate otii > otii.yaml                    an Otii Arc, through its server
        kelvin simulate yoctopuce > watt.yaml               a Yocto-Watt behind its hub
        kelvin simulate plant .build/virtual-bench/x86-a    power for a virtual board
      """,
    subcommands: [
      SimulateRelayCommand.self, SimulatePlugCommand.self, SimulateADBDCommand.self,
      SimulateFastbootCommand.self, SimulateConsoleCommand.self, SimulateIIODCommand.self,
      SimulatePPK2Command.self, SimulateEnergyProbeCommand.self, SimulateMonsoonCommand.self,
      SimulateJoulescopeCommand.self, SimulateFNIRSICommand.self,
      SimulatePowerZCommand.self, SimulateSCPICommand.self, SimulateUSBTesterCommand.self,
      SimulateOtiiCommand.self, SimulateYoctopuceCommand.self,
      SimulatePlantCommand.self
    ])
}
