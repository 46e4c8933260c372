import Testing

@testable import KelvinTargets

/// What package managers print.
struct PackageParserTests {
  private func packages(_ tool: PackageTool, _ text: String) -> [Package] {
    tool.packages(Array(text.utf8))
  }

  @Test func readsDpkg() {
    let found = packages(
      .dpkg,
      "ii \tzlib1g\t1:1.2.13\tamd64\nrc \tgone\t1.0\tamd64\nhi \theld\t2\tall\nun \tnever\t\t\n")
    #expect(found.map(\.name) == ["held", "zlib1g"])
    #expect(found.last == Package(name: "zlib1g", version: "1:1.2.13", architecture: "amd64"))
  }

  @Test func readsRPM() {
    let found = packages(
      .rpm, "ii \tbash\t0:5.2.15-1.fc38\tx86_64\nii \tgpg-pubkey\t1-2\t(none)\n")
    #expect(found == [Package(name: "bash", version: "0:5.2.15-1.fc38", architecture: "x86_64")])
  }

  @Test func readsAPK() {
    let found = packages(
      .apk, "busybox-1.36.1-r2\nca-certificates-bundle-20230506-r0\nWARNING: nothing\nx-r1\n-1-r2\n"
    )
    #expect(
      found == [
        Package(name: "busybox", version: "1.36.1-r2"),
        Package(name: "ca-certificates-bundle", version: "20230506-r0")
      ])
  }

  @Test func readsOPKG() {
    let found = packages(
      .opkg, "base-files - 1562-r24106\nlibc - 1.2.4-4 \n - 1\nCollected errors:\n")
    #expect(
      found == [
        Package(name: "base-files", version: "1562-r24106"),
        Package(name: "libc", version: "1.2.4-4")
      ])
  }

  @Test func readsAndroid() {
    let found = packages(
      .android,
      "WARNING: linker: unused\npackage:/data/app/~~a==/com.example.app-b==/base.apk=com.example.app "
        + "versionCode:42\r\npackage:/system/framework/framework-res.apk=android versionCode:34\n"
        + "package:com.plain\npackage:/x=bad name versionCode:1\npackage:/x=com.y versionCode:z\n")
    #expect(found.map(\.name) == ["android", "com.example.app", "com.plain"])
    #expect(found[1].versionCode == 42)
    #expect(found[1].path == "/data/app/~~a==/com.example.app-b==/base.apk")
    #expect(found[2].path == nil && found[2].versionCode == nil)
  }

  static let listings: [(PackageTool, String)] = [
    (.dpkg, "ii \tzlib1g\t1.2.13\tamd64\n"), (.rpm, "ii \tbash\t5.2-1\tx86_64\n"),
    (.apk, "busybox-1.36.1-r2\n"), (.opkg, "libc - 1.2.4\n"),
    (.android, "package:/data/app/x.apk=com.example.app versionCode:42\n")
  ]

  /// A list that was cut tells no half of a version.
  @Test(arguments: listings) func takesNoLineThatWasCut(tool: PackageTool, line: String) {
    #expect(packages(tool, line + line).count == 2)
    for length in 0..<line.count {
      #expect(packages(tool, line + line.prefix(length)).count == 1, "\(length)")
    }
  }

  @Test(arguments: listings) func survivesAnyByte(tool: PackageTool, line: String) {
    let bytes = Array(line.utf8)
    for index in bytes.indices {
      for value in [0, 9, 10, 32, 45, 61, 255] as [UInt8] {
        var damaged = bytes
        damaged[index] = value
        #expect(tool.packages(damaged).count <= 1)
      }
    }
    #expect(tool.packages([]).isEmpty)
    #expect(tool.packages([UInt8](repeating: 10, count: 1000)).isEmpty)
  }

  // MARK: pm

  @Test(
    arguments: [
      ("Success\n", .success("")), ("\tpkg: /x\nSuccess\n", .success("")),
      ("Success: streamed 12 bytes\n", .success("streamed 12 bytes")),
      (
        "Failure [INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected: 1 < 2]\n",
        .failure(code: "INSTALL_FAILED_VERSION_DOWNGRADE", text: "Downgrade detected: 1 < 2")
      ),
      (
        "Failure [INSTALL_FAILED_OLDER_SDK]\n", .failure(code: "INSTALL_FAILED_OLDER_SDK", text: "")
      ),
      ("Failure [not installed for 0]\n", .failure(code: "FAILED", text: "not installed for 0")),
      ("Failure\n", .failure(code: "FAILED", text: "")),
      ("Failed\n", .failure(code: "FAILED", text: "")),
      (
        "Error: Unable to open file: /x\n",
        .failure(code: "FAILED", text: "Unable to open file: /x")
      ),
      ("Successful\n", .unknown), ("", .unknown), ("[]", .unknown)
    ] as [(String, AppReply.Kind)])
  func readsWhatPMAnswers(text: String, kind: AppReply.Kind) {
    #expect(AppReply(text).kind == kind)
  }

  @Test(
    arguments: [
      ("Success: created install session [1234567]\n", 1_234_567),
      ("Success: created install session [-1]\n", nil),
      ("Success: created install session [99999999999999999999]\n", nil),
      ("Success: created install session ][\n", nil), ("Success: created install session [12", nil),
      ("Failure [12]\n", nil)
    ] as [(String, Int?)])
  func readsSessions(text: String, number: Int?) {
    #expect(AppReply(text).session == number)
  }

  @Test func readsVersionsFromADump() {
    let dump = """
      Packages:
        Package [com.example.app.other] (1):
          versionName=9
        Package [com.example.app] (2):
          versionCode=3 minSdk=21
          versionName=1.2 beta
      Hidden system packages:
        Package [com.hidden] (3):
          versionName=0
      """
    #expect(AppDump(Array(dump.utf8), package: "com.example.app").versionName == "1.2 beta")
    #expect(AppDump(Array(dump.utf8), package: "com.hidden").versionName == nil)
    #expect(AppDump([], package: "x").versionName == nil)
  }
}
