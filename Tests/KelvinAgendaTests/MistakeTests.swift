import KelvinAgenda
import KelvinModel
import Testing

/// What a new user gets wrong, and what the answer is.
@Suite struct MistakeTests {
  @Test func allMistakesAreReportedInOneGoInTheOrderOfTheFile() {
    let reading = Reading(
      """
      config:
        augmentations: [csv, exectuion_time]
        iteratons: 5
        execution_order: by_itration
        csv: {use_all_classifiers: maybe, colums: 1}
        retry_on_status: [FAILED, Partial, BAD]
        max_retries: -1
      sections:
        - id: a-b
        - id: global
      workloads:
        - idel
        - name: command
          iterations: -3
        - name: openssl
          id: x
          params: {algorithm: aes-256-cbd, duration: 5 m}
        - id: x
          name: idle
          label: [1]
      """)
    #expect(
      reading.lines == [
        "agenda.yaml:2:24: error: unknown augmentation 'exectuion_time'; did you mean "
          + "'execution_time'?",
        "agenda.yaml:3:3: error: config: unknown key 'iteratons'; did you mean 'iterations'?",
        "agenda.yaml:4:20: error: config: execution_order: expected one of by_iteration, "
          + "by_section, by_workload, random, interleaved, found 'by_itration'; did you mean "
          + "'by_iteration'?",
        "agenda.yaml:5:30: error: output 'csv': use_all_classifiers: expected true or false, "
          + "found 'maybe'",
        "agenda.yaml:5:37: error: output 'csv': unknown key 'colums'; known: "
          + "use_all_classifiers, extra_columns",
        "agenda.yaml:6:38: error: config: retry_on_status: expected one of ok, partial, failed, "
          + "aborted, skipped, found 'BAD'",
        "agenda.yaml:7:16: error: config: max_retries: expected between 0 and 1000000, found '-1'",
        "agenda.yaml:9:9: error: section id 'a-b' contains '-', which joins section and workload "
          + "ids; write 'a_b'",
        "agenda.yaml:10:9: error: section id 'global' is reserved",
        "agenda.yaml:12:5: error: unknown workload 'idel'; did you mean 'idle'?",
        "agenda.yaml:13:5: error: workload 'command': 'argv' is missing; it takes a list of words "
          + "or a command line",
        "agenda.yaml:14:17: error: workload entry 'wk2': iterations: expected between 1 and "
          + "10000000, found '-3'",
        "agenda.yaml:17:25: error: workload 'openssl': algorithm: expected one of aes-256-cbc, "
          + "aes-128-gcm, sha256, found 'aes-256-cbd'; did you mean 'aes-256-cbc'?",
        "agenda.yaml:17:48: error: workload 'openssl': duration: expected a time such as '5 s', "
          + "found '5 m'; minutes are 'min', milliseconds 'ms'",
        "agenda.yaml:18:9: error: workload id 'x' is already used at agenda.yaml:16:9; ids must "
          + "differ; use 'label' for a name that repeats",
        "agenda.yaml:20:12: error: workload entry 'x': label: expected text, found a list"
      ])
    #expect(reading.plan == nil)
  }

  @Test func mistakesInSeveralFilesAreReportedTogether() {
    let reading = Reading([
      "agenda.yaml": "workloads: [idel]", "c.yaml": "iterations: none", "u.yaml": "a: [1"
    ]) {
      $0.configPaths = [$1["c.yaml"]]
      $0.userConfigPaths = [$1["u.yaml"]]
    }
    #expect(reading.errors.map { $0.prefix(6) } == ["u.yaml", "c.yaml", "agenda"])
  }

  @Test(arguments: [
    ("", "agenda.yaml: error: the agenda is empty; write for example 'workloads: [idle]'"),
    ("# nothing", "agenda.yaml: error: the agenda is empty; write for example 'workloads: [idle]'"),
    (
      "- idle",
      "agenda.yaml:1:1: error: an agenda must be a map, not a list; write for example "
        + "'workloads: [idle]'"
    ),
    (
      "idle",
      "agenda.yaml:1:1: error: an agenda must be a map, not 'idle'; write for example "
        + "'workloads: [idle]'"
    ),
    (
      "config: {iterations: 2}",
      "agenda.yaml: error: the agenda lists no workloads; write for example 'workloads: [idle]'"
    ),
    (
      "workloads: []",
      "agenda.yaml: error: the agenda lists no workloads; write for example 'workloads: [idle]'"
    ),
    (
      "workloads:",
      "agenda.yaml: error: the agenda lists no workloads; write for example 'workloads: [idle]'"
    )
  ])
  func anAgendaOfNothingIsAnsweredWithAnExample(text: String, expected: String) {
    #expect(Reading(text).lines == [expected])
  }

  @Test(arguments: [
    ("workload: [idle]", "1:1", "unknown top-level key 'workload'; did you mean 'workloads'?"),
    (
      "workloads: [idle]\niterations: 5", "2:1",
      "unknown top-level key 'iterations'; it belongs under 'config:'"
    ),
    (
      "workloads: [idle]\ncpufreq: {}", "2:1",
      "unknown top-level key 'cpufreq'; it belongs under 'config:'"
    ),
    (
      "idle: {}\nworkloads: [idle]", "1:1",
      "unknown top-level key 'idle'; list it under 'workloads:'"
    ),
    (
      "explore: {}\nworkloads: [idle]", "1:1",
      "unknown top-level key 'explore'; known: config, sections, workloads"
    ),
    (
      "workloads: idle", "1:12",
      "'workloads': expected a list of workload names or maps, found 'idle'"
    ),
    (
      "sections: {}\nworkloads: [idle]", "1:11",
      "'sections': expected a list of sections, found a map"
    ),
    ("config: []\nworkloads: [idle]", "1:9", "'config': expected a map of settings, found a list"),
    ("workloads: [[idle]]", "1:13", "a workload entry must be a name or a map, not a list"),
    ("workloads: [~]", "1:13", "a workload entry must be a name or a map, not nothing"),
    (
      "sections: [fast]\nworkloads: [idle]", "1:12",
      "a section must be a map, not 'fast'; write for example '- id: fast'"
    ),
    (
      "workloads: [{id: a}]", "1:13",
      "workload entry 'a': 'name' is missing; name the workload to run"
    ),
    (
      "workloads: [{name: [idle]}]", "1:20", "'name': expected the name of a workload, found a list"
    ),
    (
      "workloads: [{idle: {duration: 1}}]", "1:14",
      "workload entry 'wk1': unknown key 'idle'; write 'name: idle', and its parameters under "
        + "'params:'"
    ),
    (
      "workloads: [{name: idle, workload_name: idle}]", "1:26",
      "workload entry 'wk1': 'workload_name' sets the same as 'name' at agenda.yaml:1:14; remove "
        + "one of them"
    ),
    (
      "workloads: [{name: idle, params: {}, workload_params: {}}]", "1:38",
      "workload entry 'wk1': 'workload_params' sets the same as 'params' at agenda.yaml:1:26; "
        + "remove one of them"
    ),
    (
      "sections: [{params: {}, runtime_params: {}}]\nworkloads: [idle]", "1:25",
      "section 's1': 'runtime_params' sets the same as 'params' at agenda.yaml:1:13; remove one "
        + "of them"
    ),
    (
      "sections: [{name: idle}]\nworkloads: [idle]", "1:13",
      "section 's1': unknown key 'name'; it belongs in a workload entry"
    ),
    (
      "workloads: [{name: idle, execution_order: random}]", "1:26",
      "workload entry 'wk1': unknown key 'execution_order'; it belongs under 'config:'"
    ),
    (
      "workloads: [{name: idle, cpufreq: {}}]", "1:26",
      "workload entry 'wk1': unknown key 'cpufreq'; settings of augmentations hold for the whole "
        + "run and belong under 'config:'"
    ),
    (
      "workloads: [{name: idle, itertions: 1}]", "1:26",
      "workload entry 'wk1': unknown key 'itertions'; did you mean 'iterations'?"
    ),
    ("workloads: [{name: idle, needs: []}]", "1:26", "workload entry 'wk1': unknown key 'needs'"),
    (
      "workloads: [{name: idle, 'sweep(range)': {a: 1-3}}]", "1:26",
      "workload entry 'wk1': unknown key 'sweep(range)'; Kelvin has no sweeps; write a section "
        + "for each value, with a common 'group'"
    ),
    (
      "config: {id: a}\nworkloads: [idle]", "1:10",
      "config: unknown key 'id'; only sections and workload entries have ids"
    ),
    (
      "config: {name: idle}\nworkloads: [idle]", "1:10",
      "config: unknown key 'name'; it belongs in a workload entry"
    ),
    (
      "config: {group: a}\nworkloads: [idle]", "1:10",
      "config: unknown key 'group'; it belongs in a section"
    ),
    (
      "config: {zzzzz: a}\nworkloads: [idle]", "1:10",
      "config: unknown key 'zzzzz'; docs/agenda.md lists the keys; any other must name a plug-in"
    ),
    (
      "config: {workloads: [idle]}\nworkloads: [idle]", "1:10",
      "config: 'workloads' belongs at the top level of the agenda; it belongs in the agenda"
    ),
    (
      "config: {config: {}}\nworkloads: [idle]", "1:10",
      "config: 'config' stands inside the config already; move its entries one level up"
    ),
    (
      "config: {csv: 5}\nworkloads: [idle]", "1:15",
      "output 'csv': expected a map of settings, found '5'"
    ),
    (
      "config: {rt-app: {}, rt_app: {}}\nworkloads: [idle]", "1:22",
      "config: 'rt_app' names the same as 'rt-app' at agenda.yaml:1:10; put the settings together"
    ),
    (
      "workloads: [{name: idle, params: 5}]", "1:34",
      "workload entry 'wk1': params: expected a map, found '5'"
    ),
    (
      "workloads: [{name: idle, params: {duration: 5 V}}]", "1:45",
      "workload 'idle': duration: expected a time such as '5 s', found '5 V'"
    ),
    (
      "workloads: [{name: memcpy, params: {size: 5}}]", "1:37",
      "workload 'memcpy': unknown key 'size'; it takes no settings"
    ),
    (
      "workloads: [{name: command, params: {argv: 'a \"b'}}]", "1:44",
      "workload 'command': argv: expected a list of words or a command line, found 'a \"b'; write "
        + "a list of words, or close every quote"
    ),
    (
      "workloads: [{name: idle, iterations: 0}]", "1:38",
      "workload entry 'wk1': iterations: expected between 1 and 10000000, found '0'"
    ),
    (
      "workloads: [{name: idle, iterations: two}]", "1:38",
      "workload entry 'wk1': iterations: expected an integer, found 'two'"
    ),
    (
      "workloads: [{name: idle, iterations: 1.5}]", "1:38",
      "workload entry 'wk1': iterations: expected an integer, found '1.5'"
    ),
    (
      "workloads: [{name: idle, run_timeout: 0}]", "1:39",
      "workload entry 'wk1': run_timeout: expected at least 0.001 s, found '0'"
    ),
    ("workloads: [{name: idle, id: [a]}]", "1:30", "workload id: expected a word, found a list"),
    ("workloads: [{name: idle, id: ''}]", "1:30", "workload id: expected a word, found ''"),
    (
      "workloads: [{name: idle, id: a/b}]", "1:30",
      "workload id 'a/b' contains '/' or a control character; ids become names of directories"
    ),
    (
      "sections: [{id: a, group: [b]}]\nworkloads: [idle]", "1:27",
      "'group': expected a word, found a list"
    ),
    (
      "config: {seed: -1}\nworkloads: [idle]", "1:16",
      "config: seed: expected at least 0, found '-1'"
    ),
    (
      "config: {bail_on_job_failure: 3}\nworkloads: [idle]", "1:31",
      "config: bail_on_job_failure: expected true or false, found '3'"
    )
  ])
  func oneMistakeHasOneAnswer(text: String, place: String, message: String) {
    let reading = Reading(text)
    #expect(reading.lines == ["agenda.yaml:\(place): error: \(message)"])
    #expect(reading.plan == nil)
  }

  @Test func duplicateIDsAreFoundAcrossSections() {
    let reading = Reading(
      """
      workloads: [{name: idle, id: a}]
      sections:
        - {id: x, workloads: [{name: idle, id: a}]}
        - {id: x}
      """)
    #expect(
      reading.lines == [
        "agenda.yaml:3:42: error: workload id 'a' is already used at agenda.yaml:1:30; ids must "
          + "differ; use 'label' for a name that repeats",
        "agenda.yaml:4:10: error: section id 'x' is already used at agenda.yaml:3:10; ids must "
          + "differ; use 'label' for a name that repeats"
      ])
  }

  @Test func patternsAreCheckedWhereTheyStand() {
    let reading = Reading(
      """
      config:
        augmentations: [file_poller]
        file_poller: {files: [a], filter: '(x'}
      workloads:
        - name: command
          params:
            argv: true
            metrics: {good: '([0-9]+)', bad: '([0-9]+'}
      """)
    #expect(
      reading.lines == [
        "agenda.yaml:3:37: error: instrument 'file_poller': filter: '(x' is not a regular "
          + "expression: missing closing parenthesis",
        "agenda.yaml:8:40: error: workload 'command': metrics: '([0-9]+' is not a regular "
          + "expression: missing closing parenthesis"
      ])
  }

  @Test func aRequiredSettingIsMissedOnlyWhenItsAugmentationIsEnabled() {
    let disabled = Reading("config: {sysfs_extractor: {}}\nworkloads: [idle]")
    #expect(disabled.lines == [])
    let enabled = Reading(
      "workloads: [idle, {name: idle, augmentations: [sysfs_extractor]}]")
    #expect(
      enabled.lines == [
        "agenda.yaml:1:48: error: instrument 'sysfs_extractor': 'paths' is missing; it takes a "
          + "list, each element text"
      ])
  }

  @Test func aMistakeSharedByManySpecsIsReportedOnce() {
    let reading = Reading(
      """
      sections: [{id: a}, {id: b, workload_params: {size: 1}}, {id: c}]
      workloads: [idle, idle, {name: command}]
      """)
    #expect(
      reading.lines == [
        "agenda.yaml:1:47: error: workload 'idle': unknown key 'size'; known: duration",
        "agenda.yaml:1:47: error: workload 'command': unknown key 'size'; known: argv, metrics, "
          + "environment",
        "agenda.yaml:2:25: error: workload 'command': 'argv' is missing; it takes a list of words "
          + "or a command line"
      ])
  }

  @Test func aThousandMistakesAreListedAndTheRestCounted() {
    let keys = (1...1500).map { "  key\($0): 1" }.joined(separator: "\n")
    let reading = Reading("config:\n\(keys)\nworkloads: [idle]")
    #expect(reading.lines.count == 1001)
    #expect(
      reading.lines.last
        == "agenda.yaml: error: 500 more mistakes are not listed; mend the first ones and try again"
    )
  }

  @Test func controlCharactersCannotReachTheTerminal() {
    let reading = Reading(#"{"\e[2J": 1, workloads: ["\e[31m"]}"#)
    #expect(reading.errors.count == 2)
    #expect(!reading.errors.joined().contains("\u{1b}"))
    #expect(reading.errors[0].contains(#"'\u{1b}[2J'"#))
  }

  @Test func theFailureHoldsEverything() throws {
    let folder = Folder(["agenda.yaml": "workloads: [idel, memcopy]"])
    let failure = #expect(throws: ConfigurationFailure.self) {
      try AgendaReader.read(
        AgendaRequest(agendaPath: folder["agenda.yaml"]), declarations: .sample)
    }
    #expect(failure?.diagnostics.count == 2)
    #expect(failure?.kind == .configuration)
  }
}
