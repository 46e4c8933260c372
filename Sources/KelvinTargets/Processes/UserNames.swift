/// Names of a target's users.
///
/// Linux has them in /etc/passwd. Android's C library makes them up (AOSP bionic
/// libc/bionic/grp_pwd.cpp and system/core android_filesystem_config.h): apps of user N are `uN_aM`,
/// isolated ones `uN_iM`; those of its own are in a table, of which the most usual stand here.
struct UserNames {
  private var names: [UInt32: String] = [:]
  private let isAndroid: Bool

  private static let android: [UInt32: String] = [
    0: "root", 1000: "system", 1001: "radio", 1002: "bluetooth", 1003: "graphics", 1010: "wifi",
    1013: "media", 1017: "keystore", 1019: "drm", 1021: "gps", 1027: "nfc", 1036: "logd",
    1041: "audioserver", 1046: "mediacodec", 1047: "cameraserver", 1066: "statsd",
    1067: "incidentd",
    1068: "secure_element", 1069: "lmkd", 1073: "network_stack", 2000: "shell", 9999: "nobody"
  ]

  /// - Parameters:
  ///   - passwd: what /etc/passwd holds; nil where there is none.
  ///   - isAndroid: names as Android's C library has them.
  init(passwd: [UInt8]?, isAndroid: Bool) {
    self.isAndroid = isAndroid
    for line in String(decoding: passwd ?? [], as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      // The first of several names is the one that others show, too.
      guard fields.count >= 3, !fields[0].isEmpty, let id = UInt32(fields[2]), names[id] == nil
      else { continue }
      names[id] = String(fields[0])
    }
  }

  /// The name of a user; the number where there is none.
  subscript(_ id: UInt32) -> String {
    if let name = names[id] { return name }
    guard isAndroid else { return String(id) }
    let (user, app) = (id / 100_000, id % 100_000)
    switch app {
    case 10_000...19_999: return "u\(user)_a\(app - 10_000)"
    case 90_000...99_999: return "u\(user)_i\(app - 90_000)"
    default:
      guard let name = UserNames.android[app] else { return String(id) }
      return user == 0 ? name : "u\(user)_\(name)"
    }
  }
}
