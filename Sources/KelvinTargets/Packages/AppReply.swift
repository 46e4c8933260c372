internal import KelvinConnections

/// What Android's `pm` answers.
///
/// Source: AOSP PackageManagerShellCommand.java (doInstall..., runUninstall, runClear): `Success`, with
/// more behind a colon for sessions; `Failure [CODE: text]`; `Failed`; `Error: text`. Before Android 7
/// failures go to standard error and the exit status is 0.
struct AppReply: Hashable {
  enum Kind: Hashable {
    /// With what stands behind it.
    case success(String)
    /// `INSTALL_FAILED_...`, and what stands behind it.
    case failure(code: String, text: String)
    /// Neither.
    case unknown
  }
  let kind: Kind

  /// Reads both streams of an answer.
  init(_ result: CommandResult) { self.init(AppReply.text(of: result)) }

  /// Reads an answer; warnings before it are passed over.
  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline).reversed() {
      if line == "Success" || line.hasPrefix("Success:") {
        kind = .success(line.dropFirst(8).trimmingBlanks)
        return
      }
      if line == "Failed" {
        kind = .failure(code: "FAILED", text: "")
        return
      }
      if line.hasPrefix("Failure") {
        var inner = Substring(line.dropFirst(7).trimmingBlanks)
        if inner.hasPrefix("[") { inner = inner.dropFirst() }
        if inner.hasSuffix("]") { inner = inner.dropLast() }
        let code = inner.prefix { $0.isASCII && ($0.isUppercase || $0.isNumber || $0 == "_") }
        // `not installed for 0` has no code.
        if code.contains("_"), code.count > 4 {
          let text = inner.dropFirst(code.count).drop { $0 == ":" || $0 == " " }
          kind = .failure(code: String(code), text: String(text))
        } else {
          kind = .failure(code: "FAILED", text: String(inner))
        }
        return
      }
    }
    if let error = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("Error:") })
    {
      kind = .failure(code: "FAILED", text: error.dropFirst(6).trimmingBlanks)
    } else {
      kind = .unknown
    }
  }

  /// The number in `created install session [123]`.
  var session: Int? {
    guard case .success(let text) = kind, let open = text.firstIndex(of: "["),
      let close = text[open...].firstIndex(of: "]")
    else { return nil }
    let number = Int(text[text.index(after: open)..<close])
    return number.flatMap { $0 > 0 ? $0 : nil }
  }

  /// What can be done about a code.
  static func hint(for code: String) -> String {
    switch code {
    case "INSTALL_FAILED_VERSION_DOWNGRADE":
      "a newer one is installed: uninstall it, or install with --downgrade"
    case "INSTALL_FAILED_UPDATE_INCOMPATIBLE":
      "the installed one is signed by another key: uninstall it first"
    case "INSTALL_FAILED_INSUFFICIENT_STORAGE": "free some space in the target's /data"
    case "INSTALL_FAILED_TEST_ONLY": "install with --test"
    case "INSTALL_FAILED_NO_MATCHING_ABIS": "the app has no native code for this target"
    case "INSTALL_FAILED_OLDER_SDK": "the app wants a newer Android"
    case "INSTALL_FAILED_MISSING_SPLIT": "give all APK files of the app at once"
    case "INSTALL_FAILED_USER_RESTRICTED", "INSTALL_FAILED_ABORTED":
      "allow installing over USB in the target's developer options, and look at its screen"
    case "INSTALL_FAILED_ALREADY_EXISTS": "the app is installed already"
    case let code where code.hasPrefix("INSTALL_PARSE_FAILED"): "is the file a whole APK?"
    default: ""
    }
  }

  /// Standard output, then standard error.
  static func text(of result: CommandResult) -> String {
    let parts = [result.standardOutput.text, result.standardError.text]
    return parts.map(\.trimmingBlanks).filter { !$0.isEmpty }.joined(separator: "\n")
  }
}

extension StringProtocol {
  /// Without blanks and line ends at both sides.
  var trimmingBlanks: String {
    guard let begin = firstIndex(where: { !$0.isWhitespace }),
      let last = lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(self[begin...last])
  }
}
