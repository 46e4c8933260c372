/// An app's version in what `dumpsys package NAME` prints.
///
/// Source: AOSP com.android.server.pm Settings.java, dumpPackageLPr: `  Package [NAME] (HASH):`, then
/// indented `    versionName=1.2`. A system app that was updated has a second one in the section
/// `Hidden system packages:`.
struct AppDump: Hashable {
  private(set) var versionName: String?

  /// Reads a dump; that of another app says nothing.
  init(_ bytes: [UInt8], package: String) {
    var isOurs = false
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let text = line.trimmingBlanks
      if text.hasPrefix("Package [") { isOurs = text.hasPrefix("Package [\(package)]") }
      if text == "Hidden system packages:" { return }
      if isOurs, text.hasPrefix("versionName=") {
        versionName = String(text.dropFirst(12))
        return
      }
    }
  }
}
