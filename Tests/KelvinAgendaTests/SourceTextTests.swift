import Foundation
import Glibc
import KelvinAgenda
import KelvinModel
import Testing

/// Files that are no agendas.
@Suite struct SourceTextTests {
  @Test func aMissingFileIsNamed() {
    let reading = Reading([:], agenda: "none.yaml")
    #expect(reading.lines == ["none.yaml: error: no such file"])
    #expect(reading.plan == nil)
  }

  @Test func anEmptyPathIsRefused() {
    let (plan, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: ""), declarations: .sample)
    #expect(plan == nil)
    #expect(diagnostics.map(\.message) == ["no such file"])
  }

  @Test func aDirectoryIsRefused() {
    let reading = Reading(["d/agenda.yaml": ""], agenda: "d")
    #expect(reading.lines == ["d: error: this is a directory; name a YAML file in it"])
  }

  @Test(.timeLimit(.minutes(1))) func aFIFOIsRefusedWithoutWaitingForItsWriter() {
    let folder = Folder()
    #expect(mkfifo(folder["fifo"], 0o600) == 0)
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: folder["fifo"]), declarations: .sample)
    #expect(diagnostics.map(\.message) == ["this is a FIFO, not a file"])
  }

  @Test(arguments: ["/dev/null", "/dev/zero"]) func aDeviceIsRefused(path: String) {
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: path), declarations: .sample)
    #expect(diagnostics.map(\.description) == ["\(path): error: this is a device, not a file"])
  }

  @Test func anUnreadableFileSaysWhy() {
    let folder = Folder(["agenda.yaml": "workloads: [idle]"])
    #expect(symlink("agenda2.yaml", folder["agenda2.yaml"]) == 0)
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: folder["agenda2.yaml"]), declarations: .sample)
    #expect(
      diagnostics.map(\.message) == ["cannot open the file: Too many levels of symbolic links"])
  }

  @Test(.timeLimit(.minutes(1))) func aGigabyteIsRefusedUnread() {
    let folder = Folder(["agenda.yaml": ""])
    #expect(truncate(folder["agenda.yaml"], 1 << 30) == 0)
    let before = threadTime()
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: folder["agenda.yaml"]), declarations: .sample)
    // Reading it would take several times as long.
    #expect(threadTime() - before < 0.05)
    #expect(
      diagnostics.map(\.message) == [
        "the file is too large: 1073741824 bytes, at most 16777216 are read"
      ])
  }

  /// CPU seconds of this thread, which a busy machine does not stretch.
  private func threadTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  @Test func theLimitIsTheRequests() {
    let text = "workloads: [idle]"
    let fits = Reading(text) { request, _ in request.limits.bytesPerFile = text.utf8.count }
    #expect(fits.lines == [])
    let exceeds = Reading(text) { request, _ in request.limits.bytesPerFile = text.utf8.count - 1 }
    #expect(
      exceeds.lines == [
        "agenda.yaml: error: the file is too large: 17 bytes, at most 16 are read; is this really "
          + "YAML?"
      ])
  }

  @Test func aFileWithoutSizeIsReadToItsEnd() {
    // /proc says 0 bytes for everything.
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: "/proc/self/mountinfo"), declarations: .sample)
    #expect(diagnostics.first?.message.hasPrefix("no such file") == false)
    #expect(diagnostics.first?.message.contains("empty") == false)
  }

  @Test func textThatIsNotUTF8IsRefusedWithItsLine() {
    let folder = Folder()
    let path = folder.write("agenda.yaml", Data("workloads:\n- idle # ".utf8) + [0xe9, 0x0a])
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: path), declarations: .sample)
    #expect(
      diagnostics.map { folder.relative($0.description) } == [
        "agenda.yaml:2: error: this line is not UTF-8 text; save the file as UTF-8"
      ])
  }

  @Test func utf16IsRecognized() {
    let folder = Folder()
    let path = folder.write("agenda.yaml", Data([0xff, 0xfe, 0x77, 0x00]))
    let (_, diagnostics) = AgendaReader.readForPlanning(
      AgendaRequest(agendaPath: path), declarations: .sample)
    #expect(diagnostics.map(\.message) == ["the file is UTF-16"])
  }

  @Test func aByteOrderMarkDoesNotShiftColumns() {
    let reading = Reading("\u{feff}wrkloads: [idle]")
    #expect(
      reading.errors.first
        == "agenda.yaml:1:1: error: unknown top-level key 'wrkloads'; did you mean 'workloads'?")
  }

  @Test func pythonIsAnsweredWithYAML() {
    let reading = Reading(["agenda.yaml": "workloads: [idle]", "config.py": "device = 'x'"]) {
      $0.configPaths = [$1["config.py"]]
    }
    #expect(reading.errors.count == 1)
    #expect(reading.errors[0].contains("Python config files are not run"))
    #expect(reading.errors[0].contains("\"device = 'x'\" becomes \"device: x\""))
  }

  @Test func jsonIsAccepted() {
    let reading = Reading(
      ["agenda.json": "{\"workloads\": [{\"name\": \"idle\", \"iterations\": 3}]}"],
      agenda: "agenda.json")
    #expect(reading.jobs == ["wk1:1", "wk1:2", "wk1:3"])
  }

  @Test func whatWasReadIsKept() throws {
    let folder = Folder([
      "agenda.yaml": "include#: more.yaml\nconfig: {iterations: 2}\n",
      "more.yaml": "workloads: [idle]\n", "user.yaml": "project: p\n"
    ])
    let request = AgendaRequest(
      agendaPath: folder["agenda.yaml"], userConfigPaths: [folder["user.yaml"]])
    let agenda = try AgendaReader.read(request, declarations: .sample)
    #expect(
      agenda.sources.map { folder.relative($0.path) } == ["user.yaml", "agenda.yaml", "more.yaml"])
    #expect(agenda.sources[2].content == "workloads: [idle]\n")
  }

  @Test func passwordsAreNotKept() throws {
    let folder = Folder([
      "agenda.yaml": """
      config:
        device: generic_local
        device_config: {username: é, password: hunter2, host: localhost}
      workloads: [idle]
      """
    ])
    let agenda = try AgendaReader.read(
      AgendaRequest(agendaPath: folder["agenda.yaml"]), declarations: .sample)
    #expect(
      agenda.sources[0].content.contains(
        "{username: é, password: '***', host: localhost}\nworkloads"))
    #expect(!agenda.warnings.contains { $0.description.contains("hunter2") })
  }
}
