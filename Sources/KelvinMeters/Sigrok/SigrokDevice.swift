internal import KelvinConnections
internal import KelvinModel

/// A device as sigrok-cli finds it.
struct SigrokDevice: Sendable, Hashable {
  /// `Rigol DP832 00.01.16 [S/N: DP8C000000001]`.
  var title: String
  /// All of its channels, in sigrok's order.
  var channels: [String]
  /// Channels that belong together, by the name of their group.
  var groups: [(name: String, channels: [String])]

  static func == (a: SigrokDevice, b: SigrokDevice) -> Bool {
    a.title == b.title && a.channels == b.channels
      && a.groups.elementsEqual(b.groups, by: { $0 == $1 })
  }

  func hash(into hasher: inout Hasher) { hasher.combine(title) }

  /// Reads the output of `sigrok-cli --show`: a line `DRIVER - TITLE with N channels: A B`, and lines
  /// `NAME: channels A B` of groups; nil when no device is in it.
  init?(shown text: String) {
    var found: (String, [String])?
    groups = []
    for line in text.split(separator: "\n").map(String.init) {
      if found == nil, let dash = line.firstRange(of: " - "),
        let with = line.firstRange(of: " with ", options: dash.upperBound),
        let colon = line[with.upperBound...].firstRange(of: ": ")
      {
        found = (
          String(line[dash.upperBound..<with.lowerBound]),
          line[colon.upperBound...].split(separator: " ").map(String.init)
        )
      } else if line.hasPrefix("    "), let colon = line.firstRange(of: ": channel") {
        let names = line[colon.upperBound...].drop { $0 == "s" }.split(separator: " ")
        groups.append((String(line[..<colon.lowerBound]).trimmed, names.map(String.init)))
      }
    }
    guard let found, !found.1.isEmpty else { return nil }
    (title, channels) = found
  }

  /// The serial number, where its title has one.
  var serial: String {
    guard let begin = title.firstRange(of: "[S/N: ") else { return "" }
    return String(title[begin.upperBound...].prefix { $0 != "]" })
  }

  /// Where a channel is: its group, when the device has several with more than one channel; so voltage and current
  /// of one output are found together.
  func site(_ channel: String) -> String {
    let several = groups.filter { $0.channels.count > 1 }
    guard several.count > 1 else { return "" }
    return several.first { $0.channels.contains(channel) }?.name ?? channel
  }
}

extension String {
  fileprivate func firstRange(
    of text: String, options from: String.Index? = nil
  ) -> Range<
    String.Index
  >? {
    self[(from ?? startIndex)...].firstRange(of: text)
  }
}
