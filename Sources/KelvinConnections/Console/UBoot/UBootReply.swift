package import KelvinModel

/// What a command in U-Boot did.
package struct UBootReply: Sendable, Hashable {
  /// As U-Boot's shell counts; U-Boot before its new shell of 2024 knows only 0 and 1. Nil where the
  /// board has the old parser, which cannot tell.
  package var status: Int32?
  /// What it printed, the line's CR LF as LF. What the line lost or added is lost or added here, too:
  /// U-Boot has nothing to check it with.
  package var output: [UInt8]
  /// Whether the marks around the output came undamaged.
  package var isFramed: Bool
  /// When the command was sent, and when its end was seen.
  package var startTime: MonotonicTime
  package var endTime: MonotonicTime

  /// The output as text; what is not UTF-8 becomes U+FFFD.
  package var text: String { String(decoding: output, as: UTF8.self) }
}
