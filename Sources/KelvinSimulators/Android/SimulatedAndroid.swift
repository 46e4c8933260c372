internal import Foundation
internal import Glibc
package import KelvinModel

/// The tools of an Android's shell, as far as Kelvin needs them: pm, cmd, am, input, wm, screencap,
/// getprop, setprop, settings, svc, logcat, dumpsys. They are shell scripts in a folder that goes before PATH, and keep
/// what they know in another one beside it.
///
/// What they print has the form of the real ones, failures included; sources stand with each script.
/// Apps are text files: see ``package(_:code:lines:)``.
package struct SimulatedAndroid: Sendable {
  /// Holds `bin` and `state`.
  package let directory: String

  /// Goes before PATH.
  package var programs: String { directory + "/bin" }

  /// Makes an Android's tools in a folder, or finds what they knew the last time.
  package init(directory: String) throws(PlainFailure) {
    self.directory = directory
    do {
      let files = FileManager.default
      try files.createDirectory(
        atPath: directory + "/bin", withIntermediateDirectories: true)
      let isNew = !files.fileExists(atPath: directory + "/state")
      try files.createDirectory(
        atPath: directory + "/state/packages", withIntermediateDirectories: true)
      try files.createDirectory(
        atPath: directory + "/state/properties", withIntermediateDirectories: true)
      for (name, script) in AndroidScripts.all {
        let path = directory + "/bin/" + name
        // The shell's own quoting: a folder's name may hold anything.
        let head = "#!/bin/sh\nS=\(ShellWords.quote(directory + "/state"))\n"
        try Data((head + script + "\n").utf8).write(
          to: URL(fileURLWithPath: path), options: .atomic)
        chmod(path, 0o755)
      }
      if isNew {
        for (name, value) in SimulatedAndroid.properties {
          try Data(value.utf8).write(
            to: URL(fileURLWithPath: directory + "/state/properties/" + name))
        }
        for (name, value) in AndroidScripts.freshSettings {
          let path = URL(fileURLWithPath: directory + "/state/settings/" + name)
          try files.createDirectory(
            at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
          try Data((value + "\n").utf8).write(to: path)
        }
        try Data(SimulatedAndroid.log.utf8).write(
          to: URL(fileURLWithPath: directory + "/state/log"))
      }
    } catch {
      throw PlainFailure(
        .infrastructure, "\(directory): no simulated Android can be made there",
        evidence: "\(error)", hint: "name another folder")
    }
  }

  /// An app's file for these tools.
  ///
  /// - Parameter lines: `versionName 1.0`, `activity .Main`, `handles ACTION .Activity`,
  ///   `permission android.permission.CAMERA`, `testOnly`, `minSdk 99`, `native mips`, `key B`,
  ///   `split config.en`.
  package static func package(_ name: String, code: Int = 1, lines: [String] = []) -> String {
    (["simulated apk", "package \(name)", "versionCode \(code)"] + lines).joined(separator: "\n")
      + "\n"
  }

  private static let properties = [
    "ro.build.version.sdk": "34", "ro.product.model": "Simulated",
    "ro.product.cpu.abi": "arm64-v8a",
    "sys.boot_completed": "1", "persist.sys.note": "first line\n[second]: line"
  ]

  private static let log = """
    --------- beginning of main
    11-26 09:00:00.000  1234  1234 I SimulatedAndroid: first
    11-26 09:00:01.000  1234  1250 E SimulatedAndroid: second

    """
}
