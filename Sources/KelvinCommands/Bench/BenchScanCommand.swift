internal import ArgumentParser
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench scan`: what is attached.
struct BenchScanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan",
    abstract: "Lists attached equipment, with what a bench file says to mean it.",
    discussion: """
      Serial adapters, adb and fastboot devices, meters, relays, hubs with switchable ports, \
      sensors and GPIO chips. Opens no port; asks hubs whether they switch power, where that is \
      allowed.

      EXAMPLES
        kelvin bench scan
        kelvin bench scan --format yaml > bench.yaml     a bench file to start from
        kelvin bench scan --format json
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, yaml }

  @Option(help: "Print as text, json or yaml (a bench file).") var format = Format.text

  func run() async throws {
    let equipment = try EquipmentScan.run()
    switch format {
    case .text: Terminal.standardOutput.line(ScanText.text(equipment))
    case .json: Terminal.standardOutput.line(ScanText.value(equipment).json)
    case .yaml: Terminal.standardOutput.line(BenchDraft.text(equipment))
    }
    let denied = equipment.items.filter { $0.access == .denied }
    if !denied.isEmpty, format != .json {
      Terminal.standardError.line(
        "kelvin: not permitted to open \(denied.flatMap(\.nodes).joined(separator: ", ")); "
          + "run 'kelvin bench udev --install' as root and plug in again, or join groups "
          + "\(UDevRules.serialGroup) and \(UDevRules.group)")
    }
  }
}
