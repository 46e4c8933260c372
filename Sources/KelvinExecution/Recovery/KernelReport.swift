/// A kernel's report while its lines come: what belongs to it, and where it ends. Pure.
///
/// Lines of several CPUs come mixed, each whole: where printk shows callers, only the lines of the
/// one that began decide on the end.
struct KernelReport {
  let kind: KernelSign.Kind
  let isPanic: Bool
  private let isFatal: Bool
  private let isMarked: Bool
  private let caller: [UInt8]
  private var lines = 0
  private var time: UInt64?
  private var isInTrace = false

  /// What a line does to it.
  enum Step: Hashable {
    case takes
    /// Belongs to it, and is its last.
    case ends
    /// Something else, in the midst of it.
    case passes
    /// It was over before this line.
    case over
  }

  /// Lines of a report at most; an OOM killer's names each process.
  static let lineLimit = 600
  /// Microseconds between two lines of a report at most.
  private static let gap: UInt64 = 3_000_000

  init(_ phrase: KernelPhrase, _ message: KernelLine.Message) {
    kind = phrase.kind
    isPanic = phrase.isPanic
    isFatal = phrase.severity == .fatal
    isMarked = message.isMarked
    caller = Array(message.caller)
    time = message.time
  }

  /// Whether its first line is all of it, but for what says the same right behind it.
  var isWhole: Bool {
    guard !isPanic else { return false }
    switch kind {
    case .reboot, .powerDown, .bootLoader, .kernelStarted, .watchdog, .thermalShutdown: return true
    default: return false
    }
  }

  /// Whether a further sign is a part of it.
  func includes(_ phrase: KernelPhrase) -> Bool {
    phrase.isPanic ? isPanic && phrase.kind == .panic : phrase.follows.contains(kind)
  }

  /// Looks at the next line.
  mutating func step(_ message: KernelLine.Message) -> Step {
    if isWhole { return .over }
    if isMarked, !message.isMarked { return .passes }
    if let time, let next = message.time, !isPanic, next > time &+ KernelReport.gap { return .over }
    lines += 1
    guard lines < KernelReport.lineLimit else { return .over }
    if !caller.isEmpty, !message.caller.elementsEqual(caller) { return .takes }
    time = message.time ?? time
    return end(message.text)
  }

  private mutating func end(_ text: ArraySlice<UInt8>) -> Step {
    if isPanic {
      return text.begins(with: "---[ end Kernel panic") || text.begins(with: "Rebooting in ")
        ? .ends : .takes
    }
    if text.begins(with: "---[ end trace") { return .ends }
    switch kind {
    case .oops, .warning: return .takes
    case .bug where isFatal: return .takes
    case .kasan, .kmsan, .kcsan, .kfence, .ubsan:
      return KernelReport.isRule(text) ? .ends : .takes
    case .outOfMemory:
      return text.has("ut of memory: Kill") || text.begins(with: "oom_reaper: ") ? .ends : .takes
    case .machineCheck: return text.has("[Hardware Error]") ? .takes : .over
    default: return trace(text)
    }
  }

  /// The end of a report that is a stack's dump: `</TASK>` (x86), or what is not indented any more.
  private mutating func trace(_ text: ArraySlice<UInt8>) -> Step {
    if text.begins(with: "Call Trace:") || text.begins(with: "Call trace:") {
      isInTrace = true
    } else if isInTrace {
      if text.begins(with: " </TASK>") { return .ends }
      if let first = text.first, first != 32, first != 9 { return .over }
    }
    return .takes
  }

  /// A rule of equals signs, by which some reports begin and end.
  static func isRule(_ text: ArraySlice<UInt8>) -> Bool {
    text.count >= 20 && text.allSatisfy { $0 == UInt8(ascii: "=") }
  }

  /// Whether a line announces a report that the next one begins.
  static func isBeginning(_ text: ArraySlice<UInt8>) -> Bool {
    isRule(text) || text.has("[ cut here ]---") || text.begins(with: "8<--- cut here ---")
      || text.begins(with: "sysrq: ")
  }
}
