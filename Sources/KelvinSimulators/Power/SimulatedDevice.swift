internal import KelvinModel

/// The far end of a wire: takes bytes, gives answers. Called by one thread, its server's.
package protocol SimulatedDevice: Sendable {
  /// What is sent as soon as somebody connects.
  func greeting() -> [UInt8]
  /// Takes whole requests from the front of what was received, and gives what is sent back; nil when
  /// there is no whole one yet.
  func answer(_ received: inout [UInt8]) -> [UInt8]?
  /// Whether it hangs up after an answer.
  var closesAfterAnswer: Bool { get }
  /// What is wrong with it now.
  var fault: DeviceFault { get }
}

extension SimulatedDevice {
  package func greeting() -> [UInt8] { [] }
  package var closesAfterAnswer: Bool { false }
}

/// What can be wrong with a device, or with the wire to it.
package enum DeviceFault: Sendable, Hashable {
  case none
  /// It answers as if it had obeyed, and has not.
  case acknowledgesOnly
  /// It answers this many seconds after it has obeyed.
  case late(seconds: Double)
  /// It takes the request and hangs up; on a serial line: the adapter is unplugged.
  case cut
  /// It answers bytes that mean nothing.
  case garbage
  /// It is another device, or answers for another output.
  case otherDevice
  /// Half of its answer comes, then nothing more.
  case half
  /// It takes everything and answers nothing.
  case silent
}
