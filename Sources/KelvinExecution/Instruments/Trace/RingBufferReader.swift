internal import KelvinConnections
internal import KelvinModel

/// Takes what the ring buffers of one tracing instance hold, page by page.
///
/// The kernel's file trace_pipe_raw gives one page for each read(2) and waits when there is none, which
/// no tool that every board has can be told not to do. So as many pages are read as there must be: a
/// CPU's `stats` says how many events are left, and a page holds no more than it can.
struct RingBufferReader: Sendable {
  /// A directory with `per_cpu`.
  let base: TargetPath
  let layout: RingBufferLayout
  /// What each CPU's buffer can hold; a target that gives more is not right.
  let bufferKiB: Int

  /// Bytes that are taken at a time.
  private static let pieceSize = 1 << 20

  /// Reads up to `$4` pages of `$3` bytes of CPU `$2`, where a page holds at most `$5` events. Exits
  /// with 3 when more may be left.
  private static let script = """
    d=$1/per_cpu/cpu$2; left=$4
    while :; do
    n=; while read -r k v r; do case $k in entries:) n=$v;; esac; done <"$d/stats" || exit 1
    [ "$n" = 0 ] && exit 0
    [ "$n" -gt 0 ] || exit 2
    [ $left -gt 0 ] || exit 3
    c=$(((n + $5 - 1) / $5)); [ $c -le $left ] || c=$left
    dd if="$d/trace_pipe_raw" bs=$3 count=$c 2>/dev/null || exit 1
    left=$((left - c))
    done
    """

  /// Takes everything of one CPU.
  ///
  /// - Parameter body: given whole pages as they come, about a MiB at a time.
  /// - Returns: bytes of a page that was not whole; it is left out.
  func drain(
    cpu: Int, _ connection: any Connection, until deadline: Deadline,
    _ body: (ArraySlice<UInt8>) throws -> Void
  ) async throws -> Int {
    let pages = max(1, RingBufferReader.pieceSize / layout.pageSize)
    var cut = 0
    var taken = 0
    // The kernel rounds up, and has a few pages more than it was asked for.
    let most = 2 * 1024 * bufferKiB + 16 * layout.pageSize
    while true {
      let result = try await connection.execute(
        Command(
          [
            "sh", "-c", RingBufferReader.script, "sh", base.string, "\(cpu)", "\(layout.pageSize)",
            "\(pages)", "\(layout.maxEvents)"
          ],
          standardOutput: .capture(limit: pages * layout.pageSize),
          standardError: .capture(limit: 4096)), until: deadline)
      let bytes = result.standardOutput.bytes
      let whole = bytes.count / layout.pageSize * layout.pageSize
      cut += bytes.count - whole
      taken += whole
      try body(bytes[..<whole])
      switch result.termination {
      case .exited(0): return cut
      // Without progress it would go on for ever.
      case .exited(3) where whole > 0:
        guard taken <= most else {
          throw PlainFailure(
            .target,
            "\(base)/per_cpu/cpu\(cpu): gives more than its buffer of \(bufferKiB) KiB can hold")
        }
      default:
        throw PlainFailure(
          .target, "\(base)/per_cpu/cpu\(cpu): its pages cannot be read: sh \(result.termination)",
          evidence: result.standardError.text.oneLine,
          hint: result.termination == .exited(1)
            ? "does the target have dd, and is the instance still there?" : "")
      }
    }
  }
}
