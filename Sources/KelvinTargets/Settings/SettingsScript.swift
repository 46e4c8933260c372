internal import KelvinConnections
internal import KelvinModel

/// Points that commands read and write, in one script of POSIX shell, and what it prints. Pure.
///
/// Each line that counts begins with a mark that nobody else knows; whatever else the commands print is
/// passed over. Values are one line: line ends in them become blanks.
struct SettingsScript {
  private let points: [(point: SettingPoint, wanted: String?)]
  private let mark: String

  init(_ points: [(point: SettingPoint, wanted: String?)]) {
    self.points = points
    mark = "k" + String(UInt64.random(in: .min ... .max), radix: 36)
  }

  var text: String {
    var script = """
      k_say() { printf '%s %s %s ' \(mark) "$1" "$2"; printf '%s' "$3" | tr '\\n' ' '; echo; }

      """
    for (index, (point, wanted)) in points.enumerated() {
      guard case .commands(let read, let write) = point.place else { continue }
      script += """
        k_read\(index)() {
        \(read)
        }

        """
      guard let wanted else { continue }
      let word = ShellWords.quote(wanted)
      let test =
        point.meaning == .unverified
        ? "false" : "[ \"$k_v\" = \(word) ]"
      script += """
        k_v=$(k_read\(index) 2>/dev/null </dev/null); k_say b\(index) $? "$k_v"
        \(test) || { k_v=$(set -- \(word)
        { \(write)
        } 2>&1 >/dev/null </dev/null); k_say w\(index) $? "$k_v"; }

        """
    }
    for index in points.indices {
      script += "k_v=$(k_read\(index) 2>/dev/null </dev/null); k_say a\(index) $? \"$k_v\"\n"
    }
    return script
  }

  /// What the script printed; nil when something is missing.
  func outcomes(in bytes: [UInt8]) -> [DeviceSettings.Outcome]? {
    var said: [String: (status: Int, text: String)] = [:]
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let fields = String(decoding: line, as: UTF8.self)
        .split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
      guard fields.count == 4, fields[0] == mark, let status = Int(fields[2]) else { continue }
      said[String(fields[1])] = (status, String(fields[3].trimmingASCIIWhitespace))
    }
    var outcomes: [DeviceSettings.Outcome] = []
    for (index, (_, wanted)) in points.enumerated() {
      guard let after = said["a\(index)"] else { return nil }
      let before = said["b\(index)"]
      guard wanted == nil || before != nil else { return nil }
      let write = said["w\(index)"]
      let refused = write.flatMap { $0.status == 0 ? nil : $0 }
      outcomes.append(
        DeviceSettings.Outcome(
          before: SettingsScript.reading(before ?? after), isWritten: write?.status == 0,
          written: refused.map {
            .failure(
              .init(
                description: $0.text.isEmpty
                  ? "exited with \($0.status)" : String($0.text.prefix(300))))
          } ?? .success(()), after: SettingsScript.reading(after)))
    }
    return outcomes
  }

  private static func reading(_ said: (status: Int, text: String)) -> Result<String, Errno> {
    said.status == 0 ? .success(said.text) : .failure(.io)
  }
}
