internal import Glibc

// Numbers and times as text.

/// A wall time as ISO 8601 in UTC, to the millisecond: `2026-11-25T19:39:28.781Z`.
func isoTime(_ nanoseconds: Int64) -> String {
  var (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
  if rest < 0 {
    seconds -= 1
    rest += 1_000_000_000
  }
  var time = time_t(seconds)
  var fields = tm()
  guard gmtime_r(&time, &fields) != nil else { return "" }
  let date = [Int(fields.tm_year) + 1900, Int(fields.tm_mon) + 1, Int(fields.tm_mday)]
  let clock = [fields.tm_hour, fields.tm_min, fields.tm_sec].map { padded(Int($0), 2) }
  return "\(padded(date[0], 4))-\(padded(date[1], 2))-\(padded(date[2], 2))T"
    + clock.joined(separator: ":") + ".\(padded(Int(rest / 1_000_000), 3))Z"
}

private func padded(_ number: Int, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// A number with a fixed count of decimals.
func fixed(_ number: Double, decimals: Int) -> String {
  format("%.*f", Int32(decimals), number)
}

/// A number in scientific notation with four significant digits.
func scientific(_ number: Double) -> String { format("%.3e", number) }

private func format(_ format: String, _ arguments: any CVarArg...) -> String {
  // The longest double takes 310 digits before the point.
  var buffer = [CChar](repeating: 0, count: 400)
  let count = withVaList(arguments) { vsnprintf(&buffer, buffer.count, format, $0) }
  guard count > 0, count < buffer.count else { return "" }
  return String(decoding: buffer[..<Int(count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// A duration for a person: `812 ms`, `5.2 s`, `3 min 2 s`, `2 h 5 min`.
func durationText(nanoseconds: Int64) -> String {
  let seconds = Double(nanoseconds) / 1e9
  switch seconds {
  case ..<1: return "\(Int((seconds * 1000).rounded())) ms"
  case ..<60: return "\(fixed(seconds, decimals: 1)) s"
  case ..<3600: return "\(Int(seconds) / 60) min \(Int(seconds) % 60) s"
  default: return "\(Int(seconds) / 3600) h \(Int(seconds) % 3600 / 60) min"
  }
}

extension String {
  /// The text filled with spaces to a width, at its left or right.
  func padded(_ width: Int, left: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - count))
    return left ? space + self : self + space
  }

  /// The text on one line, and harmless to a terminal: line ends become spaces, other control
  /// characters, which may come from a device, U+FFFD.
  var oneLine: String {
    var text = ""
    for character in self {
      if character.isNewline || character == "\t" {
        text += " "
      } else {
        for scalar in character.unicodeScalars {
          let isControl = scalar.properties.generalCategory == .control
          text.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
      }
    }
    return text
  }

  /// The text on one line, cut to a width, with an ellipsis in place of what is missing.
  func cut(_ width: Int) -> String {
    let line = oneLine
    return line.count <= width ? line : line.prefix(max(0, width - 1)) + "…"
  }
}
