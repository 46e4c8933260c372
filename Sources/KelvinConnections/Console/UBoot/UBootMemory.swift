/// A board's memory as `bdinfo` tells of it. Pure.
///
/// The lines are those of bdinfo_print_num_l() and lmb_dump_region() in U-Boot 2013 and later; what an
/// older or newer one says otherwise is not known here, and then nothing is refused.
package struct UBootMemory: Sendable, Hashable {
  /// Where there is memory.
  package private(set) var banks: [ClosedRange<UInt64>] = []
  /// What U-Boot needs for itself: its code, stack and heap, and the device tree.
  package private(set) var reserved: [ClosedRange<UInt64>] = []

  /// Reads the output of `bdinfo`. Never fails: what is no number is left out.
  package init(_ output: [UInt8]) {
    var start: UInt64?
    var relocation: UInt64?
    var stack: UInt64?
    for line in String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline) {
      if line.drop(while: { $0 == " " }).hasPrefix("reserved[") {
        if let range = UBootMemory.range(line) { reserved.append(range) }
        continue
      }
      let parts = line.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let value = UBootMemory.number(parts[1]) else { continue }
      switch parts[0].split(separator: " ").joined(separator: " ") {
      case "-> start": start = value
      case "-> size":
        if let start, let range = UBootMemory.range(start, value) { banks.append(range) }
        start = nil
      case "relocaddr": relocation = value
      case "sp start": stack = value
      default: break
      }
    }
    guard reserved.isEmpty, let relocation else { return }
    // U-Boot sits at the top of a bank, its stack beneath it and growing downwards.
    let bottom = min(relocation, stack ?? relocation)
    let room: UInt64 = 64 << 10
    if let bank = banks.first(where: { $0.contains(bottom) }) {
      reserved = [max(bank.lowerBound, bottom < room ? 0 : bottom - room)...bank.upperBound]
    }
  }

  /// Why so many bytes cannot go to an address; nil when they can, or when nothing is known.
  package func obstacle(_ address: UInt64, count: UInt64) -> String? {
    guard let wanted = UBootMemory.range(address, count) else {
      return "it is beyond the end of all addresses"
    }
    if !banks.isEmpty, !banks.contains(where: { $0.contains(wanted.lowerBound) }) {
      return "there is no memory; there is at \(UBootMemory.text(banks))"
    }
    if !banks.isEmpty,
      !banks.contains(where: {
        $0.contains(wanted.lowerBound) && $0.contains(wanted.upperBound)
      })
    {
      return "the memory ends before the file does; there is some at \(UBootMemory.text(banks))"
    }
    let own = reserved.filter { $0.overlaps(wanted) }
    return own.isEmpty ? nil : "U-Boot itself is at \(UBootMemory.text(own))"
  }

  private static func range(_ start: UInt64, _ count: UInt64) -> ClosedRange<UInt64>? {
    guard count > 0 else { return nil }
    let (end, overflows) = start.addingReportingOverflow(count - 1)
    return overflows ? nil : start...end
  }

  /// The range in `reserved[0]  [0x45db2000-0x47ffffff], 0x0224e000 bytes flags: 0`.
  private static func range(_ line: Substring) -> ClosedRange<UInt64>? {
    guard let open = line.lastIndex(of: "["), let close = line[open...].firstIndex(of: "]")
    else { return nil }
    let ends = line[line.index(after: open)..<close].split(separator: "-")
    guard ends.count == 2, let first = number(ends[0]), let last = number(ends[1]), first <= last
    else { return nil }
    return first...last
  }

  /// `0x40000000`, and nothing behind it.
  private static func number(_ text: Substring) -> UInt64? {
    let word = text.split(separator: " ").first ?? ""
    guard word.hasPrefix("0x") else { return nil }
    return UInt64(word.dropFirst(2), radix: 16)
  }

  private static func text(_ ranges: [ClosedRange<UInt64>]) -> String {
    ranges.map {
      "0x\(String($0.lowerBound, radix: 16))-0x\(String($0.upperBound, radix: 16))"
    }.joined(separator: ", ")
  }
}
