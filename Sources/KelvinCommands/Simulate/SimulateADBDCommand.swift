internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators
internal import KelvinSystem

/// `kelvin simulate adbd`: a device for adb that is not there.
struct SimulateADBDCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adbd",
    abstract: "Stands in for a device that adb reaches over TCP or USB.",
    discussion: """
      adb's own client and server take it for a device. Its shell runs commands of this machine, and \
      its files are this machine's, so it listens on 127.0.0.1 alone. On USB it is a gadget that \
      somebody has made by configfs, with FunctionFS mounted at --usb.

      A fault is one of: drop, stall, truncate, magic (each takes a number of bytes after which it \
      strikes: 'drop:1000'), data, delay:SECONDS, refuse, mute, exit, no-exit, silent, names, sizes.

      EXAMPLES
        kelvin simulate adbd --for '10 min' >phone.yaml &
        kelvin target exec simulated --bench phone.yaml -- uname -a
        kelvin simulate adbd --port 5601        then: adb connect 127.0.0.1:5601
        kelvin simulate adbd --old              an adbd from before 2016
        kelvin simulate adbd --android /tmp/a   with the tools of an Android
        kelvin simulate adbd --fault drop:1000 --fault-service shell
      """)

  @Option(help: "TCP port of 127.0.0.1; 0: a free one.")
  var port: UInt16 = 0

  @Option(help: "Where FunctionFS is mounted.", completion: .directory) var usb: String?

  @Option(help: "With --usb: the gadget's directory in configfs.", completion: .directory)
  var gadget: String?

  @Option(help: "With --usb: the controller to plug it into.") var udc = "dummy_udc.0"

  @Option(help: "A name for the device.")
  var serial = "simulated"

  @Option(help: "A folder that stands for / in push and pull.", completion: .directory)
  var root: String?

  @Option(
    help:
      "A folder for an Android's pm, am, input, screencap, getprop and others, and what they know.",
    completion: .directory)
  var android: String?

  @Flag(help: "No shell,v2, packets of 4096 bytes, checksums.")
  var old = false

  @Flag(help: "Ask for a key that it trusts.")
  var secure = false

  @Flag(help: "Trust no new key: with --secure it stays unauthorized.")
  var rejectKeys = false

  @Flag(help: "Refuse to become root.")
  var production = false

  @Option(help: "Seconds that a reboot takes.")
  var down = 1.0

  @Option(help: "What is wrong with it.")
  var fault: String?

  @Option(help: "What the services that the fault strikes begin with; default: all.")
  var faultService = ""

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard (usb == nil) == (gadget == nil) else {
      throw ValidationError("--usb and --gadget belong together")
    }
    guard fault == nil || SimulateADBDCommand.fault(fault ?? "") != nil else {
      throw ValidationError("'\(fault ?? "")': no such fault; see 'kelvin simulate adbd --help'")
    }
  }

  func run() async throws {
    var settings = old ? SimulatedADBD.Settings.old : SimulatedADBD.Settings()
    settings.port = port
    if let usb, let gadget {
      settings.gadget = GadgetPlace(mount: usb, gadget: gadget, controller: udc)
    }
    settings.serial = serial
    settings.root = root ?? ""
    settings.android = try android.map { try SimulatedAndroid(directory: SmallFile.absolute($0)) }
    settings.isSecure = secure
    settings.acceptsKeys = !rejectKeys
    settings.isProduction = production
    settings.downSeconds = down
    if let kind = SimulateADBDCommand.fault(fault ?? "") {
      settings.fault = ADBDFault(kind, service: faultService)
    }
    let stop = SignalInterrupt.begin()
    let device = try SimulatedADBD(settings)
    if let usb {
      Terminal.standardOutput.line("# Simulated: adbd at \(usb), plugged into \(udc).")
    } else {
      let address = "127.0.0.1:\(device.port)"
      SimulatedBench.print(
        "adbd; 'adb connect \(address)' finds it, too", connection: "{adb: {tcp: '\(address)'}}")
    }
    SimulatedBench.wait(duration, stop)
    device.stop()
  }

  /// Reads `KIND` or `KIND:NUMBER`; nil for what is none.
  static func fault(_ text: String) -> ADBDFault.Kind? {
    let words = text.split(separator: ":", maxSplits: 1)
    let number = words.count > 1 ? Double(words[1]) : nil
    if words.count > 1, number == nil { return nil }
    let bytes = Int(max(0, min(number ?? 0, 1e15)))
    switch words.first {
    case "drop": return .drop(after: bytes)
    case "stall": return .stall(after: bytes)
    case "truncate": return .truncate(after: bytes)
    case "magic": return .corruptMagic(after: bytes)
    case "data": return .corruptData
    case "delay": return .delay(number ?? 1)
    case "refuse": return .refuse
    case "mute": return .mute
    case "exit": return .wrongExit
    case "no-exit": return .noExit
    case "silent": return .silent
    case "names": return .hostileNames
    case "sizes": return .hostileSizes
    default: return nil
    }
  }
}
