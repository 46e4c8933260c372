internal import CLibPCRE2
public import KelvinModel
internal import Synchronization

/// A regular expression of a user, matched on bytes: PCRE2 with limits, so that no pattern and no
/// output can hang a run. The only file that calls PCRE2.
///
/// Not in UTF mode: output may be anything, and `.` matches a byte.
public final class Pattern: Sendable {
  /// As written.
  public let source: String
  // Read-only once compiled (pcre2api(3), "Multithreading").
  nonisolated(unsafe) private let code: OpaquePointer
  /// Match data and limits belong to one match at a time.
  private let scratch: Mutex<Scratch>

  /// What one match needs; used under the lock only.
  private struct Scratch: @unchecked Sendable {
    let data: OpaquePointer
    let context: OpaquePointer
  }

  /// Why a text is no pattern.
  public struct SyntaxFailure: Failure, Hashable {
    public let source: String
    public let problem: String
    /// From 1, in bytes.
    public let column: Int

    public var kind: FailureKind { .configuration }
    public var message: String { "pattern '\(source)': \(problem) at column \(column)" }
  }

  /// A match did not come to an end within its limits.
  public struct LimitFailure: Failure, Hashable {
    public let source: String
    /// What PCRE2 says about it.
    public let problem: String

    public var kind: FailureKind { .configuration }
    public var message: String { "pattern '\(source)': gave up on a line of the output" }
    public var evidence: String { problem }
    public var hint: String { "avoid nested repetitions such as (a+)+" }
  }

  /// Compiles a pattern.
  public init(_ source: String) throws(SyntaxFailure) {
    self.source = source
    var number: Int32 = 0
    var offset = 0
    let bytes = Array(source.utf8)
    // UTF mode could be asked for within the pattern, and would refuse lines that are no UTF-8.
    let compiled = pcre2_compile_8(
      bytes, bytes.count, UInt32(PCRE2_NEVER_BACKSLASH_C) | UInt32(PCRE2_NEVER_UTF), &number,
      &offset, nil)
    guard let compiled else {
      throw SyntaxFailure(
        source: source, problem: Pattern.message(for: number), column: offset + 1)
    }
    code = compiled
    // Without JIT (some processors, hardened kernels) the interpreter matches.
    pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
    guard let data = pcre2_match_data_create_from_pattern_8(compiled, nil),
      let context = pcre2_match_context_create_8(nil)
    else {
      pcre2_code_free_8(compiled)
      throw SyntaxFailure(source: source, problem: "out of memory", column: 1)
    }
    pcre2_set_match_limit_8(context, 1_000_000)
    pcre2_set_depth_limit_8(context, 100_000)
    pcre2_set_heap_limit_8(context, 65_536)
    scratch = Mutex(Scratch(data: data, context: context))
  }

  deinit {
    scratch.withLock { scratch in
      pcre2_match_data_free_8(scratch.data)
      pcre2_match_context_free_8(scratch.context)
    }
    pcre2_code_free_8(code)
  }

  /// Says what is wrong with a pattern; nil when it is fine.
  public static func problem(with source: String) -> String? {
    do {
      _ = try Pattern(source)
      return nil
    } catch {
      return "\(error.problem) at column \(error.column)"
    }
  }

  /// How many groups it captures.
  public var groupCount: Int {
    var count: UInt32 = 0
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_CAPTURECOUNT), &count)
    return Int(count)
  }

  /// Names of groups and their numbers, in the order of the numbers: `(?<power>[0-9.]+)`.
  public var groupNames: [(name: String, number: Int)] {
    var (count, size): (UInt32, UInt32) = (0, 0)
    var table: UnsafePointer<UInt8>?
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &size)
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
    guard let table, size > 2 else { return [] }
    // Each entry: the number in two bytes, the greater one first, and the name with a zero behind it.
    return (0..<Int(count)).map { index in
      let entry = UnsafeBufferPointer(start: table + index * Int(size), count: Int(size))
      let name = String(decoding: entry[2...].prefix { $0 != 0 }, as: UTF8.self)
      return (name, Int(entry[0]) << 8 | Int(entry[1]))
    }.sorted { $0.number < $1.number }
  }

  /// The range of a group in the first match within `line`; group 0 is the whole match.
  ///
  /// - Returns: nil when nothing matches, or the group took no part.
  /// - Throws: ``LimitFailure``.
  public func firstMatch(
    in line: UnsafeRawBufferPointer, group: Int
  ) throws(LimitFailure) -> Range<Int>? {
    try firstMatch(in: line) { $0(group) } ?? nil
  }

  /// Where some groups of the first match within `line` are.
  ///
  /// - Parameter ranges: gets one for each of `groups`; nil for a group that took no part.
  /// - Returns: false when nothing matches.
  /// - Throws: ``LimitFailure``.
  public func firstMatch(
    in line: UnsafeRawBufferPointer, groups: [Int], _ ranges: inout [Range<Int>?]
  ) throws(LimitFailure) -> Bool {
    ranges.removeAll(keepingCapacity: true)
    let found = try firstMatch(in: line) { range in groups.map(range) }
    guard let found else { return false }
    ranges = found
    return true
  }

  /// Calls `body` with a way to the ranges of the first match's groups; nil when nothing matches.
  private func firstMatch<Found: Sendable>(
    in line: UnsafeRawBufferPointer, _ body: ((Int) -> Range<Int>?) -> Found
  ) throws(LimitFailure) -> Found? {
    guard let subject = line.baseAddress?.assumingMemoryBound(to: UInt8.self) else {
      return try withUnsafeBytes(of: UInt8(0)) { (byte) throws(LimitFailure) in
        try firstMatch(in: UnsafeRawBufferPointer(rebasing: byte[..<0]), body)
      }
    }
    let result: Result<Found?, LimitFailure> = scratch.withLock { scratch in
      func match(_ options: UInt32) -> Int32 {
        pcre2_match_8(code, subject, line.count, 0, options, scratch.data, scratch.context)
      }
      var status = match(0)
      // The machine code has a small stack; the interpreter's is only bound by the limits.
      if status == PCRE2_ERROR_JIT_STACKLIMIT { status = match(UInt32(PCRE2_NO_JIT)) }
      if status == PCRE2_ERROR_NOMATCH { return .success(nil) }
      guard status > 0 else {
        return .failure(LimitFailure(source: source, problem: Pattern.message(for: status)))
      }
      let offsets = pcre2_get_ovector_pointer_8(scratch.data)
      return .success(
        body { group in
          guard group >= 0, group < status, let offsets else { return nil }
          let start = offsets[group * 2]
          let end = offsets[group * 2 + 1]
          // A group that took no part is PCRE2_UNSET, all bits set; \K can put the start past the end.
          guard 0 <= start, start <= end, end <= line.count else { return nil }
          return start..<end
        })
    }
    return try result.get()
  }

  private static func message(for number: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    pcre2_get_error_message_8(number, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
  }
}

extension Pattern: Hashable {
  public static func == (a: Pattern, b: Pattern) -> Bool { a.source == b.source }
  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
