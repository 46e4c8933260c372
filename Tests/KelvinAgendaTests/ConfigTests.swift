import KelvinModel
import Testing

@testable import KelvinAgenda

/// Run-wide settings, and what becomes of WA's other keys.
@Suite struct ConfigTests {
  private func settings(_ config: String) throws -> RunSettings {
    let reading = Reading("config: \(config)\nworkloads: [idle]")
    #expect(reading.lines == [])
    return try #require(reading.plan?.settings)
  }

  @Test func allRunSettingsAreReadWithTheirPlaces() throws {
    let reading = Reading(
      """
      config:
        execution_order: by_section
        seed: 0x10
        reboot_policy: never
        retry_on_status: [FAILED, Partial, aborted]
        max_retries: 0
        bail_on_init_failure: no
        bail_on_job_failure: yes
        run_name: 08
        project: 1.10
        project_stage: beta
      workloads: [idle]
      """
    ) { request, _ in request.seed = nil }
    #expect(reading.lines == [])
    let settings = try #require(reading.plan?.settings)
    #expect(settings.executionOrder == .bySection)
    #expect(settings.seed == 16)
    #expect(settings.rebootPolicy == .never)
    #expect(settings.retryOnStatus == [.failed, .partial, .aborted])
    #expect(settings.maxRetries == 0)
    #expect(settings.bailOnInitFailure == false)
    #expect(settings.bailOnJobFailure)
    #expect(settings.runName == "08")
    #expect(settings.project == "1.10")
    #expect(settings.projectStage == "beta")
    let lines = settings.provenance.mapValues(\.line)
    #expect(
      lines == [
        "execution_order": 2, "seed": 3, "reboot_policy": 4, "retry_on_status": 5,
        "max_retries": 6, "bail_on_init_failure": 7, "bail_on_job_failure": 8, "run_name": 9,
        "project": 10, "project_stage": 11
      ])
  }

  @Test func unwrittenRunSettingsAreWAs() throws {
    let settings = try settings("{}")
    #expect(settings.executionOrder == .byIteration)
    #expect(settings.rebootPolicy == .asNeeded)
    #expect(settings.retryOnStatus == [.failed, .partial])
    #expect(settings.maxRetries == 2)
    #expect(settings.bailOnInitFailure)
    #expect(!settings.bailOnJobFailure)
    #expect(settings.runName == nil)
  }

  @Test func theDeclaredDefaultsAreTheRealOnes() throws {
    let settings = try settings("{}")
    for option in AgendaKeys.run {
      guard let value = option.defaultValue else { continue }
      let real: Value =
        switch option.name {
        case "execution_order": .text(settings.executionOrder.rawValue)
        case "reboot_policy": .text(settings.rebootPolicy.rawValue)
        case "retry_on_status": .list(settings.retryOnStatus.map { .text($0.rawValue) })
        case "max_retries": .integer(Int64(settings.maxRetries))
        case "bail_on_init_failure": .boolean(settings.bailOnInitFailure)
        case "bail_on_job_failure": .boolean(settings.bailOnJobFailure)
        default: .null
        }
      #expect(value == real, "\(option.name)")
    }
  }

  @Test func oneStatusMayStandAlone() throws {
    #expect(try settings("{retry_on_status: OK}").retryOnStatus == [.ok])
    #expect(try settings("{retry_on_status: []}").retryOnStatus == [])
  }

  @Test func aStageMayBeAMap() throws {
    #expect(try settings("{project_stage: {b: 1, a: x}}").projectStage == #"{"a":"x","b":1}"#)
  }

  @Test func wa2sOrdersAreTranslated() {
    let reading = Reading("config: {execution_order: classic}\nworkloads: [idle]")
    #expect(reading.plan?.settings.executionOrder == .byWorkload)
    #expect(
      reading.lines == [
        "agenda.yaml:1:27: warning: execution order 'classic' is WA2's word for 'by_workload'; "
          + "write 'by_workload'"
      ])
  }

  // MARK: rebooting

  @Test(arguments: ["never", "as_needed", "As Needed", "NEVER"])
  func thisMachineMayKeepRunning(policy: String) throws {
    let policyRead = try settings("{reboot_policy: \(policy)}").rebootPolicy
    #expect([.never, .asNeeded].contains(policyRead))
  }

  @Test(arguments: ["initial", "each_spec", "each_job", "each_iteration", "run_completion"])
  func thisMachineIsNotRebootedButAPlanCanBeShown(policy: String) {
    let text = "config: {reboot_policy: \(policy)}\nworkloads: [idle]"
    let reading = Reading(text)
    #expect(
      reading.lines == [
        "agenda.yaml:1:25: error: reboot_policy '\(policy)' needs a board: this machine runs Kelvin "
          + "and is never rebooted; write 'never' or 'as_needed'"
      ])
    #expect(reading.plan?.settings.rebootPolicy.rawValue == policy)
    let board = Reading(text) { request, _ in request.isLocalTarget = false }
    #expect(board.lines == [])
    #expect(board.plan?.settings.rebootPolicy.rawValue == policy)
  }

  // MARK: devices

  @Test(arguments: [
    "device: generic_local", "device: local", "device: localhost", "device: Generic-Local",
    "device: generic_linux, device_config: {host: localhost}",
    "device: generic_linux, device_config: {host: 127.0.0.1, username: me}",
    "device: generic_linux, device_config: {connection: local}", "device: "
  ])
  func thisMachineIsUnderstood(config: String) {
    let reading = Reading("config: {\(config)}\nworkloads: [idle]")
    #expect(reading.errors == [])
    #expect(reading.plan != nil)
  }

  @Test(arguments: [
    "device: generic_android", "device: juno_linux", "device: generic_linux",
    "device: generic_linux, device_config: {host: 10.0.0.7}"
  ])
  func boardsComeWithTheBenchFile(config: String) {
    let reading = Reading("config: {\(config)}\nworkloads: [idle]")
    #expect(reading.errors.count == 1)
    #expect(reading.errors[0].hasPrefix("agenda.yaml:1:18: error: device '"))
    #expect(reading.errors[0].contains("boards come with bench.yaml"))
  }

  @Test func theLastDeviceCounts() {
    let reading = Reading([
      "agenda.yaml": "config: {device: generic_local}\nworkloads: [idle]",
      "u.yaml": "device: generic_android\ndevice_config: {device: 0123}"
    ]) { $0.userConfigPaths = [$1["u.yaml"]] }
    #expect(
      reading.lines == [
        "u.yaml:2:1: warning: config: 'device_config' has no effect; this machine needs none; "
          + "boards come with bench.yaml"
      ])
  }

  @Test func onABoardTheDeviceHasNoEffect() {
    let reading = Reading("config: {device: generic_android}\nworkloads: [idle]") {
      request, _ in request.isLocalTarget = false
    }
    #expect(
      reading.lines == [
        "agenda.yaml:1:18: warning: device 'generic_android' has no effect: the board comes from "
          + "bench.yaml"
      ])
  }

  // MARK: other keys of WA

  @Test(arguments: [
    "assets_repository: /x", "remote_assets_url: http://x", "logging: {color: false}",
    "verbosity: 1", "user_directory: ~/x", "default_output_directory: out",
    "extra_plugin_paths: [a]"
  ])
  func wasOwnSettingsAreAnsweredWithWhatToUse(config: String) {
    let reading = Reading("config: {\(config)}\nworkloads: [idle]")
    #expect(reading.lines.count == 1)
    #expect(reading.lines[0].hasPrefix("agenda.yaml:1:10: warning: config: '"))
    #expect(reading.lines[0].contains("has no effect; "))
    #expect(reading.plan != nil)
  }

  @Test func wasOwnSettingsSayNothingWhenUnset() {
    let reading = Reading(
      "config: {assets_repository: '', extra_plugin_paths: , allow_phone_home: true}\n"
        + "workloads: [idle]")
    #expect(reading.lines == [])
  }

  @Test func phoningHomeTakesAFlag() {
    let reading = Reading("config: {allow_phone_home: maybe}\nworkloads: [idle]")
    #expect(
      reading.lines == [
        "agenda.yaml:1:28: error: config: allow_phone_home: expected true or false, found 'maybe'"
      ])
  }

  @Test func settingsOfPlugInsThatOnlyWAHasAreAWarning() {
    let reading = Reading("config: {trace-cmd: {events: [irq*]}}\nworkloads: [idle]")
    #expect(
      reading.lines == [
        "agenda.yaml:1:10: warning: config: 'trace-cmd' has no effect: WA has this plug-in, Kelvin "
          + "does not"
      ])
  }

  // MARK: config files

  @Test func aRunIsNamedInItsAgendaOnly() {
    let reading = Reading(["agenda.yaml": "workloads: [idle]", "c.yaml": "run_name: x"]) {
      $0.configPaths = [$1["c.yaml"]]
    }
    #expect(
      reading.lines == [
        "c.yaml:1:1: error: 'run_name' stands in a config file, which is for many runs; write it "
          + "under 'config:' in the agenda"
      ])
  }

  @Test(arguments: [
    (
      "config: {iterations: 1}",
      "'config' stands in a config file, whose top level is the config "
        + "already; move its entries one level up"
    ),
    ("workloads: [idle]", "'workloads' stands in a config file; it belongs in the agenda"),
    (
      "[a]",
      "a config file must be a map, not a list; write 'KEY: VALUE' lines such as "
        + "'iterations: 5'"
    )
  ])
  func aConfigFileIsNoAgenda(text: String, message: String) {
    let reading = Reading(["agenda.yaml": "workloads: [idle]", "c.yaml": text]) {
      $0.configPaths = [$1["c.yaml"]]
    }
    #expect(reading.lines == ["c.yaml:1:1: error: \(message)"])
  }

  @Test func anEmptyConfigFileIsFine() {
    let reading = Reading(["agenda.yaml": "workloads: [idle]", "c.yaml": "# nothing\n"]) {
      $0.configPaths = [$1["c.yaml"]]
    }
    #expect(reading.lines == [])
  }

  @Test func aMissingConfigFileIsAMistake() {
    let reading = Reading("workloads: [idle]") { $0.configPaths = [$1["none.yaml"]] }
    #expect(reading.lines == ["none.yaml: error: no such file"])
  }

  @Test(arguments: [
    ("/home/u/.workload_automation/config.yaml", nil, true),
    ("/srv/wa/config.yaml", "/srv/wa", true),
    ("/srv/wa/config.yaml", "/srv/wa/", true), ("/srv/wax/config.yaml", "/srv/wa", false),
    ("/home/u/.config/kelvin/config.yaml", "/srv/wa", false), ("/a/config.yaml", "", false)
  ])
  func wasOwnFilesAreRecognized(path: String, directory: String?, expected: Bool) {
    #expect(AgendaReader.belongsToWA(path, directory: directory) == expected)
  }

  @Test func oneWrongSettingInWAsOwnFileLeavesTheOthers() {
    let reading = Reading([
      "agenda.yaml": "workloads: [idle]",
      "home/.workload_automation/config.yaml":
        "csv: {use_all_classifiers: true, extra_columns: {}, colums: 1}"
    ]) { $0.userConfigPaths = [$1["home/.workload_automation/config.yaml"]] }
    #expect(reading.warnings.count == 2)
    #expect(
      reading.plan?.settings.augmentations["csv"]
        == ["use_all_classifiers": true, "extra_columns": []])
  }

  @Test func mistakesInWAsOwnFileAreWarnings() throws {
    let reading = Reading([
      "agenda.yaml": "workloads: [idle]",
      "home/.workload_automation/config.yaml": """
      device: generic_android
      device_config: {password: secret}
      augmentations: [csv, trace-cmd]
      juno: {a: 1}
      iterations: 3
      reboot_policy: each_job
      max_retries: none
      runtime_params: {governor: powersave}
      """
    ]) { $0.userConfigPaths = [$1["home/.workload_automation/config.yaml"]] }
    #expect(reading.errors == [])
    #expect(reading.warnings.count == 6)
    #expect(reading.warnings.allSatisfy { $0.contains("config.yaml:") && !$0.contains("secret") })
    #expect(reading.warnings[0].contains("(ignored: this file belongs to WA)"))
    let plan = try #require(reading.plan)
    #expect(plan.specs[0].augmentations == ["csv"])
    #expect(plan.specs[0].iterations == 3)
    #expect(plan.specs[0].runtimeParameters == [.init("governor", "powersave")])
    #expect(plan.settings.rebootPolicy == .asNeeded)
    #expect(plan.settings.maxRetries == 2)
  }
}
