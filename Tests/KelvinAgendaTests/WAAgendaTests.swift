import KelvinAgenda
import KelvinModel
import Testing

/// Agendas written as users of Workload Automation write them, for this machine.
@Suite struct WAAgendaTests {
  @Test func aShortAgenda() throws {
    let reading = Reading(
      """
      config:
              augmentations:
                  - ~execution_time
                  - targz
              iterations: 2
      workloads:
              - memcpy
              - name: dhrystone
                params:
                      mloops: 5
                      threads: 1
      """
    ) { request, _ in request.defaultAugmentations = ["execution_time", "status", "csv"] }
    #expect(reading.lines == [])
    #expect(reading.jobs == ["wk1:1", "wk2:1", "wk1:2", "wk2:2"])
    #expect(reading.specs[0].augmentations == ["status", "csv", "targz"])
    #expect(reading.specs[1].parameters["mloops"] == 5)
  }

  @Test func whatCreateAgendaWrites() throws {
    // `wa create agenda generic_local dhrystone execution_time csv` writes every parameter out,
    // null or not.
    let reading = Reading(
      """
      config:
          augmentations:
          - execution_time
          - csv
          iterations: 1
          device: generic_local
          device_config:
              big_core: null
              core_names: null
              executables_directory: null
              keep_password: true
              load_default_modules: true
              shell_prompt: !<tag:wa:regex> '40:^.*(shell|root|juno)@?.*:[/~]\\S* *[#$] '
              unrooted: null
              working_directory: null
          execution_time: {}
          csv:
              extra_columns: null
              use_all_classifiers: false
      workloads:
      -   name: dhrystone
          params:
              cleanup_assets: true
              delay: 0
              duration: 0
              mloops: 0
              taskset_mask: 0
              threads: 4
      """)
    #expect(reading.errors == [])
    #expect(
      reading.warnings == [
        "agenda.yaml:7:5: warning: config: 'device_config' has no effect; this machine needs none; "
          + "boards come with bench.yaml"
      ])
    let spec = try #require(reading.specs.first)
    #expect(spec.id == "wk1")
    #expect(spec.augmentations == ["execution_time", "csv"])
    #expect(spec.parameters["threads"] == 4)
    #expect(spec.cleanupAssets)
  }

  @Test func anExperimentWithSections() throws {
    let reading = Reading([
      "agenda.yaml": """
      config:
              project: cpu_comparison
              run_name: one_versus_four

              device: generic_local
              reboot_policy: never

              iterations: 5
              instrumentation: [~cpufreq, interrupts]
              result_processors: [csv]
              sysfs_extractor:
                      paths: [/proc/meminfo]
              csv:
                  use_all_classifiers: True
      sections:
              - id: single
                classifiers:
                      threads: 1
                workload_params:
                      duration: 2
              - id: quad
                classifiers:
                      threads: 4
      workloads:
              - id: 01_dhry
                name: dhrystone
                label: dhrystone_15over6
                workload_params:
                      threads: 6
                      mloops: 15
              - id: 02_idle
                name: idle
                augmentations: [sysfs_extractor]
              - id: 03_ssl
                name: openssl
                iterations: 10
      """,
      "home/.workload_automation/config.yaml": """
      # The file that WA makes.
      user_directory: ~/.workload_automation
      assets_repository: ''
      augmentations: [execution_time, interrupts, cpufreq, status, csv]
      device: generic_android
      """
    ]) { $0.userConfigPaths = [$1["home/.workload_automation/config.yaml"]] }
    #expect(reading.errors == [])
    #expect(
      reading.specs.map(\.id) == [
        "single-01_dhry", "single-02_idle", "single-03_ssl", "quad-01_dhry", "quad-02_idle",
        "quad-03_ssl"
      ])
    let dhrystone = try #require(reading.spec("single-01_dhry"))
    #expect(dhrystone.label == "dhrystone_15over6")
    #expect(dhrystone.iterations == 5)
    #expect(dhrystone.parameters["duration"] == 2.0)
    #expect(dhrystone.parameters["mloops"] == 15)
    #expect(dhrystone.classifiers == ["threads": "1"])
    #expect(dhrystone.augmentations == ["execution_time", "interrupts", "status", "csv"])
    #expect(
      reading.spec("quad-02_idle")?.augmentations == [
        "execution_time", "interrupts", "status", "csv", "sysfs_extractor"
      ])
    #expect(reading.spec("quad-03_ssl")?.iterations == 10)
    let settings = try #require(reading.plan?.settings)
    #expect(settings.runName == "one_versus_four")
    #expect(settings.project == "cpu_comparison")
    #expect(settings.rebootPolicy == .never)
    #expect(reading.jobs.count == 2 * (5 + 5 + 10))
    #expect(
      reading.jobs.prefix(4) == [
        "single-01_dhry:1", "quad-01_dhry:1", "single-02_idle:1", "quad-02_idle:1"
      ])
  }

  @Test func wholeAgendaOnOneLine() {
    let reading = Reading("{workloads: [dhrystone, memcpy, rt-app]}")
    #expect(reading.lines == [])
    #expect(reading.specs.map(\.workload) == ["dhrystone", "memcpy", "rt-app"])
  }
}
