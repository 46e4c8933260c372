import KelvinAgenda
import KelvinModel
import Testing

/// Profiles that contradict themselves, and right ones.
@Suite struct BenchProfileTests {
  private static func checkPattern(_ pattern: String) -> String? {
    pattern.contains("(") && !pattern.contains(")") ? "missing )" : nil
  }

  /// A profile's mistakes, without the name of its file.
  private func mistakes(_ text: String, _ kind: HardwareProfiles.Kind) -> [String] {
    let folder = Folder(["\(kind.rawValue)s/x.yaml": text])
    let hardware = HardwareProfiles(
      roots: [folder.path], checkPattern: BenchProfileTests.checkPattern)
    let found = kind == .board ? hardware.boards().diagnostics : hardware.meters().diagnostics
    return found.map { diagnostic in
      folder.relative(diagnostic.description)
        .replacing("\(kind.rawValue)s/x.yaml:", with: "")
        .replacing("error: \(kind.rawValue) profile 'x': ", with: "")
    }
  }

  @Test func readsABoard() throws {
    let folder = Folder([
      "boards/b.yaml": """
      title: A board
      platform: linux
      architecture: aarch64
      cpus: 6
      clusters:
        - {name: LITTLE, kind: cortex-a53, cpus: '0,3-5', capacity: 446, frequencies: [1 GHz, 600 MHz]}
        - {name: big, cpus: 1-2, capacity: 1024, frequency: {min: 450 MHz, max: 1.1 GHz}}
      console: {baud: 115200}
      boot_loader: {name: U-Boot, prompt: '=> $', stop_at: 'Hit any key', stop_with: "\\x03"}
      login: {prompt: 'login:', user: root}
      shell_prompt: '# '
      settings: [governor, frequency]
      quirks: [It is slow.]
      notes: One.
      verified: nothing
      """
    ])
    let board = try HardwareProfiles(roots: [folder.path]).board(named: "b")
    #expect(board.name == "b" && board.title == "A board" && board.platform == .linux)
    #expect(board.architecture == "aarch64" && board.consoleBaud == 115_200)
    #expect(board.cpus == [0, 1, 2, 3, 4, 5])
    #expect(
      board.cluster(of: 4)
        == CPUCluster(
          name: "LITTLE", kind: "cortex-a53", cpus: [0, 3, 4, 5], capacity: 446,
          frequenciesInHertz: [6e8, 1e9], frequencyRangeInHertz: 6e8...1e9))
    #expect(board.cluster(of: 2)?.frequencyRangeInHertz == 4.5e8...1.1e9)
    #expect(board.cluster(of: 6) == nil)
    #expect(
      board.bootLoader
        == BootLoader(
          name: "U-Boot", prompt: "=> $", stopAt: "Hit any key", stopWith: "\u{3}"))
    #expect(board.login == Login(prompt: "login:", user: "root"))
    #expect(board.settings == ["governor", "frequency"])
    #expect(board.quirks == ["It is slow."] && board.notes == ["One."])
    #expect(board.verified == "nothing")
  }

  @Test(arguments: [
    (
      "clusters: [{name: a, cpus: 0-1}, {name: b, cpus: 1-2}]",
      "3:50: CPU 1 is in cluster 'b' and, at 3:28, in cluster 'a'"
    ),
    (
      "cpus: 4, clusters: [{name: a, cpus: 0-2}]",
      "3:7: 'cpus' is 4, but the clusters have 3; the clusters are described at 3:20"
    ),
    (
      "clusters: [{name: a, cpus: 0}, {name: a, cpus: 1}]",
      "3:39: cluster 'a' is already described at 3:19"
    ),
    (
      "clusters: [{name: a, cpus: x}]",
      "3:28: cluster 'a': cpus: expected CPU numbers such as '0-3,6', found 'x'"
    ),
    (
      "clusters: [{name: a, cpus: 3-1}]",
      "3:28: cluster 'a': cpus: expected CPU numbers such as '0-3,6', found '3-1'"
    ),
    (
      "clusters: [{name: a, cpus: 0-9999999999}]",
      "3:28: cluster 'a': cpus: expected CPU numbers such as '0-3,6', found '0-9999999999'"
    ),
    (
      "clusters: [{name: a, cpus: 0, frequency: {min: 2 GHz, max: 1 GHz}}]",
      "3:42: cluster 'a': frequency: 'min' is above 'max'"
    ),
    (
      "clusters: [{name: a, cpus: 0, frequencies: [1 GHz, 1000 MHz]}]",
      "3:44: cluster 'a': frequencies: one is listed twice"
    ),
    (
      "clusters: [{name: a, cpus: 0, frequencies: [1 GHz], frequency: {min: 1 GHz, max: 2 GHz}}]",
      "3:64: cluster 'a': 'frequency' has other ends than 'frequencies' at 3:44; leave "
        + "'frequency' out"
    ),
    (
      "clusters: [{name: a, cpus: 0, frequencies: [1200]}]",
      "3:45: cluster 'a': frequencies: expected a frequency such as '1.2 GHz', found '1200'; "
        + "write the unit: '1200 Hz'"
    ),
    (
      "clusters: [{name: a, cpus: 0, capacity: 500}, {name: b, cpus: 1, capacity: 1000}]",
      "3:11: the highest capacity is 1000, but the fastest core's is 1024 by definition"
    ),
    ("clusters: [{cpus: 0}]", "3:12: a cluster: 'name' is missing; it takes text"),
    ("clusters: 5", "3:11: clusters: expected a list, found '5'"),
    ("clusters: [5]", "3:12: a cluster: expected a map, found '5'"),
    (
      "clusters: [{name: a, cpus: 0, core: x}]",
      "3:31: cluster 'a': unknown key 'core'; known: name, kind, cpus, capacity, frequencies, "
        + "frequency"
    ),
    ("cpu: 4", "3:1: unknown key 'cpu'; did you mean 'cpus'?"),
    ("console: {baud: 5}", "3:17: console: baud: expected between 50 and 4000000, found '5'"),
    ("login: {prompt: '(x'}", "3:17: login: '(x' is not a regular expression: missing )"),
    (
      "boot_loader: {name: U-Boot, stop_at: x}",
      "3:14: boot_loader: 'stop_at' and 'stop_with' need each other"
    ),
    (
      "settings: [governer]",
      "3:12: settings: expected one of " + ProfileKeys.settings.joined(separator: ", ")
        + ", found 'governer'; did you mean 'governor'?"
    )
  ])
  func aBoardThatContradictsItselfIsRefused(keys: String, expected: String) {
    // A flow map would move the columns; several keys go on lines of their own.
    let text = "title: X\nplatform: linux\n" + keys.replacing(", clusters", with: "\nclusters")
    let answer = expected.replacing(" at 3:20", with: " at 4:11")
    #expect(mistakes(text, .board) == [answer])
  }

  @Test func aBoardSaysWhatItIs() {
    #expect(
      mistakes("title: X", .board) == [
        "1:1: 'platform' is missing; it takes one of linux, android, boot-loader"
      ])
    #expect(
      mistakes("title: X\nplatform: boot-loader", .board) == [
        "2:11: the platform is 'boot-loader', but 'boot_loader' is missing"
      ])
    #expect(mistakes("[x]", .board) == ["1:1: expected a map, found a list"])
    #expect(mistakes("", .board) == [" error: the profile is empty"])
  }

  @Test func allMistakesOfAProfileAreToldTogether() {
    let found = mistakes(
      """
      title: [x]
      platform: lunix
      cpus: 0
      clusters: [{name: a, cpus: 0, capacity: 2000}, {name: a, cpus: 0}]
      """, .board)
    #expect(found.map { $0.prefix(4) } == ["1:8:", "2:11", "3:7:", "4:41", "4:55", "4:64"])
  }

  @Test func readsAMeter() throws {
    let folder = Folder([
      "meters/m.yaml": """
      title: A meter
      driver: m
      usb: ['1915:C00A', {id: '16d0:0e87', model: boot loader, is_meter: false}]
      sample_rate: 100 kHz
      channels:
        - {name: i, kind: current, min: 200 nA, max: 1 A, resolution: 1 nA}
        - {name: d0, kind: logic}
      accuracy: [{channel: i, figure: 1 %, conditions: cold, source: the maker}]
      supply: {min: 800 mV, max: 5 V, current: 1 A}
      modes: [ampere, source]
      loss_witness: a counter
      """
    ])
    let meter = try HardwareProfiles(roots: [folder.path]).meter(named: "m")
    #expect(
      meter.usb == [
        .init(USBDeviceID(vendor: 0x1915, product: 0xc00a)),
        .init(USBDeviceID(vendor: 0x16d0, product: 0x0e87), model: "boot loader", isMeter: false)
      ])
    #expect(meter.sampleRateInHertz == 1e5)
    #expect(meter.channels.map(\.name) == ["i", "d0"])
    #expect(meter.channels[0].range?.upperBound == 1)
    #expect(meter.channels[0].resolution == 1e-9)
    #expect(
      meter.accuracy == [
        AccuracyFigure(channel: "i", figure: "1 %", conditions: "cold", source: "the maker")
      ])
    #expect(meter.supply == SupplyRange(voltage: 0.8...5, currentLimit: 1))
    #expect(meter.lossWitness == "a counter")
    let declaration = meter.declaration
    #expect(declaration.kind == .meter && declaration.name == "m")
    #expect(declaration.options.map(\.name) == ["match", "mode", "voltage"])
    #expect(declaration.summary.contains("no driver yet"))
  }

  @Test(arguments: [
    (
      "usb: ['1915-c00a']",
      "3:7: usb: expected VENDOR:PRODUCT such as 1915:c00a, found '1915-c00a'"
    ),
    ("usb: ['1915:c00a', '1915:C00A']", "3:20: usb: 1915:c00a is listed twice"),
    (
      "channels: [{name: i, kind: current, min: 2 A, max: 1 A}]",
      "3:42: channel 'i': 'min' is above 'max'"
    ),
    (
      "channels: [{name: i, kind: current, max: 1 A}]",
      "3:42: channel 'i': 'min' and 'max' need each other"
    ),
    (
      "channels: [{name: i, kind: current, min: 0 V, max: 1 A}]",
      "3:42: channel 'i': min: expected a current such as '10 mA', found '0 V'"
    ),
    (
      "channels: [{name: i, kind: current, min: 0 A, max: 1 A, resolution: 2 A}]",
      "3:69: channel 'i': the resolution is wider than the range"
    ),
    (
      "channels: [{name: d, kind: logic, resolution: 1 V}]",
      "3:47: channel 'd': a logic channel has no 'resolution'"
    ),
    (
      "channels: [{name: d, kind: logic}, {name: d, kind: logic}]",
      "3:43: channel 'd' is already described at 3:19"
    ),
    (
      "channels: [{name: d, kind: amps}]",
      "3:28: channel 'd': kind: expected one of voltage, current, power, energy, charge, "
        + "temperature, logic, found 'amps'"
    ),
    (
      "accuracy: [{channel: x, figure: 1 %, source: s}]",
      "3:22: accuracy: no channel is called 'x'"
    ),
    (
      "accuracy: [{figure: 1 %}]",
      "3:12: a figure of 'accuracy': 'source' is missing; it takes text"
    ),
    ("supply: {min: 5 V, max: 1 V}", "3:9: supply: 'min' is above 'max'"),
    ("tcp_port: 70000", "3:11: tcp_port: expected between 1 and 65535, found '70000'"),
    ("chanels: []", "3:1: unknown key 'chanels'; did you mean 'channels'?")
  ])
  func aMeterThatContradictsItselfIsRefused(keys: String, expected: String) {
    #expect(mistakes("title: X\ndriver: x\n\(keys)", .meter) == [expected])
  }

  @Test(arguments: [
    "", "1915", "1915:", ":c00a", "1915:c00a:", "1915:c00", "1915:c00ag", "+915:c00a", "1915 c00a",
    "0x1915:0xc00a", "1915:c00\u{e9}"
  ])
  func refusesWhatIsNoUSBIdentity(text: String) {
    #expect(USBDeviceID(text) == nil)
  }

  @Test func writesUSBIdentitiesAsUdevHasThem() {
    #expect(USBDeviceID("0D28:0004")?.description == "0d28:0004")
    #expect(USBDeviceID.hex(0) == "0000")
  }
}
