import Foundation
import KelvinModel
import Testing

@testable import KelvinAgenda

/// Damaged agendas: whatever the bytes, there is a plan or a diagnostic, and never a crash.
@Suite struct DamageTests {
  /// Uses most of what an agenda can hold.
  static let rich = """
    # A rich agenda: é
    config: &config
      augmentations: [~~, execution_time, "csv", 'file-poller', ~status]
      execution_order: interleaved
      file_poller: {files: [/proc/stat, /proc/meminfo], sample_interval: 10 ms}
      max_retries: 0x2
      device_config: {password: secret}
      classifiers: &tags {room: lab2, n: 1_000}
    global: {retry_on_status: [FAILED, PARTIAL], run_timeout: 1.5 min}
    sections:
      - {id: slow, group: speed, classifiers: {<<: *tags, x: "\\u00e9\\n"}}
      - id: fast
        group: speed
        workloads:
          - memcpy
      - {id: one, group: cpus, params: {governor: performance}}
    workloads:
      - dhrystone
      - name: command
        id: 01_cmd
        label: >-
          folded
          text
        params:
          argv: |
            sh -c 'echo "a b"'
          metrics: {rate: '([0-9.]+) ops/s', ? other : "x(y)"}
      - {name: idle, params: {duration: !!str 500 ms}, iterations: 3, boot_params: {a: }}
    ...
    """

  /// Nothing may crash, and silence is no answer.
  private func check(_ bytes: [UInt8], _ folder: Folder, _ note: @autoclosure () -> String) {
    let path = folder.write("agenda.yaml", Data(bytes))
    var request = AgendaRequest(agendaPath: path)
    // Damage can turn iterations into millions, which is no mistake but slow here.
    request.limits.jobs = 10_000
    let (plan, diagnostics) = AgendaReader.readForPlanning(request, declarations: .sample)
    let isAnswered = plan != nil || diagnostics.contains { $0.severity == .error }
    #expect(isAnswered, "\(note())")
    for diagnostic in diagnostics where diagnostic.location.file == path {
      #expect(diagnostic.location.line >= 0 && diagnostic.location.column >= 0)
    }
  }

  @Test func theAgendaItselfIsFine() {
    let reading = Reading(DamageTests.rich)
    #expect(reading.errors == [])
    #expect(reading.specs.count == 7)
  }

  @Test(.timeLimit(.minutes(2))) func truncationAtEachByteIsAnswered() {
    let folder = Folder()
    let bytes = Array(DamageTests.rich.utf8)
    for length in 0...bytes.count {
      check(Array(bytes[..<length]), folder, "truncated to \(length) bytes")
    }
  }

  @Test(.timeLimit(.minutes(2))) func randomDamageIsAnswered() {
    let seed: UInt64 = 20_261_125
    var generator = SplitMix64(seed: seed)
    let folder = Folder()
    let original = Array(DamageTests.rich.utf8)
    // Bytes that mean something to YAML, among random ones.
    let meaningful = Array("[]{}:,&*!|>'\"%@`#-?~\n\t \\<".utf8)
    for round in 0..<2000 {
      var bytes = original
      for _ in 0...generator.next(below: 4) {
        let position = generator.next(below: bytes.count)
        let byte =
          generator.next(below: 2) == 0
          ? meaningful[generator.next(below: meaningful.count)]
          : UInt8(truncatingIfNeeded: generator.next())
        switch generator.next(below: 3) {
        case 0: bytes[position] = byte
        case 1: bytes.insert(byte, at: position)
        default: bytes.remove(at: position)
        }
      }
      check(bytes, folder, "seed \(seed), round \(round)")
    }
  }

  @Test(.timeLimit(.minutes(2))) func linesInAnyOrderAreAnswered() {
    let seed: UInt64 = 3
    var generator = SplitMix64(seed: seed)
    let folder = Folder()
    let lines = DamageTests.rich.split(separator: "\n")
    for round in 0..<300 {
      let text = lines.shuffled(using: &generator).joined(separator: "\n")
      check(Array(text.utf8), folder, "seed \(seed), round \(round)")
    }
  }
}
