import Glibc
import KelvinConnections
import KelvinDevices
import KelvinModel
import Testing

/// The udev rules: the committed file, its installation, and what udev itself makes of it.
@Suite struct BenchUDevTests {
  private static let top =
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  private static let usb = "/sys/devices/pci0000:00/0000:00:14.0/usb1"

  @Test func theCommittedFileIsWhatIsGenerated() async throws {
    let committed = try await LocalConnection().execute(
      Command(["cat", "\(Self.top)/udev-rules/\(UDevRules.fileName)"]), until: .after(seconds: 5))
    #expect(
      committed.standardOutput.text == UDevRules.text(),
      "run 'kelvin bench udev --print > udev-rules/\(UDevRules.fileName)'")
  }

  @Test func everyKnownDeviceIsGrantedAndNobodyElse() {
    let text = UDevRules.text()
    for device in KnownDevices.all {
      #expect(text.contains("{idProduct}==\"\(USBDeviceID.hex(device.id.product))\""))
      #expect(!device.nodes.isEmpty)
      #expect(
        device.link.utf8.allSatisfy {
          (97...122).contains($0) || (48...57).contains($0)
            || $0 == 45
        })
    }
    let modes = text.split(separator: "\n").filter { $0.contains("MODE=") }
    #expect(modes.count > KnownDevices.all.count)
    let isForAll = modes.contains { !$0.contains("MODE=\"0660\", GROUP=") }
    #expect(!isForAll)
  }

  @Test(.timeLimit(.minutes(1)))
  func installsPrintsAndChecks() async throws {
    let scratch = try Scratch()
    let printed = try await KelvinBinary.run(["bench", "udev", "--print"], in: scratch.path)
    #expect(printed.output == UDevRules.text())
    let missing = try await udev(["--check"], scratch)
    #expect(missing.code == 1)
    #expect(missing.output.contains("not installed; run 'kelvin bench udev --install' as root"))
    let installed = try await udev(["--install"], scratch)
    #expect(installed.code == 0, "\(installed.errors)")
    #expect(try scratch.read(UDevRules.fileName) == UDevRules.text())
    var status = stat()
    #expect(stat("\(scratch.path)/\(UDevRules.fileName)", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o644)
    #expect(try await udev(["--check"], scratch).output.contains("rules: installed"))
    let json = try await udev(["--check", "--format", "json"], scratch).output
    let findings = try #require(Value(json: json)?.list, "\(json)").compactMap(\.map)
    #expect(
      findings.map { $0["subject"]?.text } == [
        "rules", "udevd", "group \(UDevRules.group)", "group \(UDevRules.serialGroup)"
      ])
    #expect(findings[0]["result"] == "ok")
    #expect(findings.allSatisfy { Set($0.keys) == ["subject", "result", "detail", "hint"] })
    #expect(try await udev(["--print", "--format", "json"], scratch).code == 2)
    try scratch.write(UDevRules.fileName, UDevRules.text() + "# mine\n")
    #expect(try await udev(["--check"], scratch).output.contains("or edited; run"))
    let nowhere = try await KelvinBinary.run(
      ["bench", "udev", "--install", "--directory", "/nonexistent"], in: scratch.path)
    #expect(nowhere.code == 2)
    #expect(nowhere.errors.contains("/nonexistent/70-kelvin.rules: cannot be written"))
    #expect(try await udev([], scratch).code == 2)
  }

  /// udevadm reads rules in fixed places only: /run is another one for it.
  @Test(
    .timeLimit(.minutes(1)),
    .enabled("needs udevadm and a mount namespace of its own: root, or user namespaces") {
      try await LocalConnection().execute(
        Command(BenchUDevTests.namespace + ["sh", "-c", "mount -t tmpfs x /run && udevadm -V"]),
        until: .after(seconds: 10)
      ).isSuccess
    },
    arguments: [
      (
        "1-2/1-2.1/1-2.1:1.2/tty/ttyACM1", group: "dialout",
        links: [
          "/dev/kelvin/ppk2-E1A2B3C4D5E6-if02",
          "/dev/kelvin/by-path/ppk2-pci-0000:00:14.0-usb-0:2.1:1.2"
        ]
      ),
      (
        "1-3/1-3:1.0/0003:16C0:05DF.0001/hidraw/hidraw0", group: "plugdev",
        links: ["/dev/kelvin/by-path/usb-relay-pci-0000:00:14.0-usb-0:3:1.0-hid"]
      ),
      (
        "1-3", group: "plugdev",
        links: ["/dev/kelvin/by-path/usb-relay-pci-0000:00:14.0-usb-0:3"]
      ),
      // A keyboard that shares the relay's id.
      ("1-4", group: nil, links: []),
      ("1-2/1-2.2", group: "plugdev", links: []), ("1-2/1-2.3", group: "plugdev", links: [])
    ])
  func udevUnderstandsAndObeys(path: String, group: String?, links: [String]) async throws {
    let words = try await udevadmTest(path)
    let ours = words.split(separator: "\n").filter { $0.contains("/\(UDevRules.fileName):") }
    let complaints = ours.filter {
      $0.contains("Invalid") || $0.contains("nknown") || $0.contains("gnor")
        || $0.contains("ailed")
    }
    #expect(complaints.isEmpty)
    #expect(words.contains("Reading rules file: /run/udev/rules.d/\(UDevRules.fileName)"))
    #expect(words.contains(":uaccess:") == (group != nil))
    if let group {
      let id = try #require(getgrnam(group)).pointee.gr_gid
      #expect(ours.contains { $0.hasSuffix("GROUP \(id)") })
      #expect(ours.contains { $0.hasSuffix("MODE 0660") })
    } else {
      #expect(ours.isEmpty)
    }
    let given = words.split(separator: "\n").first { $0.hasPrefix("DEVLINKS=") } ?? ""
    for link in links { #expect(given.contains(link)) }
    #expect(given.contains("/dev/kelvin/") == !links.isEmpty)
  }

  private static let namespace =
    geteuid() == 0 ? ["unshare", "--mount"] : ["unshare", "--map-root-user", "--mount"]

  private func udevadmTest(_ path: String) async throws -> String {
    let script = """
      mount -t tmpfs x /run && mkdir -p /run/udev/rules.d &&
      "$0" bench udev --install --directory /run/udev/rules.d &&
      umockdev-run -d "$1" -- udevadm --debug test -a add "$2" 2>&1
      """
    let result = try await LocalConnection().execute(
      Command(
        Self.namespace + [
          "sh", "-c", script, KelvinBinary.path, FakeDevices.tree("bench"), "\(Self.usb)/\(path)"
        ]), until: .after(seconds: 30))
    try #require(result.isSuccess, "\(result.standardError.text)\(result.standardOutput.text)")
    return result.standardOutput.text
  }

  private func udev(_ arguments: [String], _ scratch: Scratch) async throws -> Ran {
    try await KelvinBinary.run(
      ["bench", "udev", "--directory", scratch.path] + arguments, in: scratch.path)
  }
}
