internal import CLinux
internal import Glibc
internal import KelvinModel

// Lines and breaks of a far end.

extension PortLink {
  /// Lines as they are; nil where there are none, or none that can be told.
  var lines: ControlLines? {
    if let gpio { return (try? gpio.level()).map { ControlLines(level: $0) } }
    if let port = telnet?.comPort { return port.lines }
    guard isTerminal else { return nil }
    let bits = kelvin_tty_lines(descriptor)
    return bits < 0 ? nil : ControlLines(dtr: bits & 1 != 0, rts: bits & 2 != 0)
  }

  /// Whether the far end answers when it has set lines, and not before.
  var answersLines: Bool { telnet?.comPort != nil }

  /// Sets those of the lines that are not nil.
  ///
  /// - Returns: false: there are none.
  func set(_ lines: ControlLines) throws(KelvinModel.Errno) -> Bool {
    if let gpio {
      guard lines.dtr == nil, lines.rts == nil else { return false }
      if let level = lines.level { try gpio.set(level) }
      return true
    }
    guard lines.level == nil, isTerminal || answersLines else { return false }
    if answersLines {
      telnet?.set(lines)
      return true
    }
    for (bit, value) in [(Int32(1), lines.dtr), (2, lines.rts)] {
      guard let value, kelvin_tty_set_lines(descriptor, bit, value ? 1 : 0) != 0 else { continue }
      // A pseudo terminal gives EINVAL, other things without lines ENOTTY.
      if errno == EINVAL || errno == ENOTTY { return false }
      throw .current
    }
    return true
  }

  /// Begins a break or ends it; false: there is no such thing.
  func setBreak(_ isOn: Bool) -> Bool {
    if telnet?.comPort != nil {
      telnet?.setBreak(isOn)
      return true
    }
    return isTerminal && kelvin_tty_break(descriptor, isOn ? 1 : 0) == 0
  }

  /// Goes on at another rate; lines stay as they are.
  func adapt(to address: PortAddress) throws(KelvinModel.Errno) {
    guard isTerminal, case .console(.serial(_, let baud)) = address else { return }
    guard kelvin_tty_raw(descriptor, baud) == 0 else { throw .current }
  }
}
