/// Everything in a trace.dat file beside the pages of the ring buffers.
///
/// The format is trace-cmd's, version 6. Source: trace-cmd.dat.v6(5); options and the clock behind
/// the table of CPUs: trace-cmd.dat.v7(5), and files that trace-cmd 3.1.6 wrote.
struct TraceContent: Sendable {
  var layout: RingBufferLayout
  /// The target's files events/header_page and events/header_event.
  var headerPage: [UInt8]
  var headerEvent: [UInt8]
  /// Formats of the kernel's own records, such as functions and markers.
  var ownFormats: [[UInt8]] = []
  /// Formats of the events, by system.
  var eventFormats: [(system: String, formats: [[UInt8]])] = []
  var symbols: [UInt8] = []
  var printkFormats: [UInt8] = []
  /// Names of processes: lines of a number and a name.
  var commandLines: [UInt8] = []
  /// The text of trace_clock, the clock in use in brackets.
  var clock: [UInt8] = []
  var options: [Option] = []
  /// How many CPUs the table of pages has.
  var cpuCount: Int
  /// A second buffer's name: its pages follow those of the first.
  var secondBuffer: String?

  /// A piece of data that readers which do not know it skip.
  struct Option: Sendable, Hashable {
    let number: UInt16
    let bytes: [UInt8]

    /// What the kernel counted of one CPU's buffer; trace-cmd report --stat prints it. All have one
    /// size, so that what is known when the pages have been read can take the place of another.
    static func statistics(cpu: Int, _ text: [UInt8]) -> Option {
      var bytes = Array("CPU: \(cpu)\n".utf8) + text
      while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
      bytes = Array(bytes.prefix(statisticsSize - 3))
      bytes += [UInt8](repeating: UInt8(ascii: " "), count: statisticsSize - 3 - bytes.count)
      return Option(number: 2, bytes: bytes + Array("\n\n".utf8) + [0])
    }
    private static let statisticsSize = 512
    /// Says that the clock's text stands behind the table of CPUs.
    static let hasClock = Option(number: 4, bytes: [])
    static func system(_ text: String) -> Option {
      Option(number: 5, bytes: Array(text.utf8) + [0])
    }
  }

  /// The lines of the target's saved_cmdlines that are a number and a name. A process's name may have
  /// line ends in it, and trace-cmd reads no further than to the first line that is something else.
  static func commandLines(_ text: [UInt8]) -> [UInt8] {
    var lines: [UInt8] = []
    for line in KernelText(text) {
      guard let blank = line.firstIndex(of: UInt8(ascii: " ")),
        let process: UInt32 = KernelText.integer(line[..<blank]), process <= Int32.max,
        !KernelText.trim(line[blank...]).isEmpty, !line.contains(0)
      else { continue }
      lines += line
      lines.append(UInt8(ascii: "\n"))
    }
    return lines
  }

  /// The file's beginning, and what in it is filled in when the pages are there.
  struct Head {
    var bytes: [UInt8] = []
    /// Where the table of CPUs is: two 64-bit numbers for each, offset and size of its pages.
    var table = 0
    /// Where the bytes of each option are.
    var options: [Int] = []
    /// Where the 64-bit offset of the second buffer is.
    var secondBuffer: Int?
  }

  /// The file's beginning, with empty tables.
  func head() -> Head {
    var head = Head()
    var file = TraceBytes(isBigEndian: layout.isBigEndian)
    file.bytes = [0x17, 0x08, 0x44]
    file.bytes += Array("tracing".utf8)
    file.append(text: "6")
    file.bytes += [layout.isBigEndian ? 1 : 0, UInt8(layout.commitSize)]
    file.append(UInt32(layout.pageSize))
    file.append(text: "header_page")
    file.append(sized: headerPage)
    file.append(text: "header_event")
    file.append(sized: headerEvent)
    file.append(UInt32(ownFormats.count))
    for format in ownFormats { file.append(sized: format) }
    file.append(UInt32(eventFormats.count))
    for (system, formats) in eventFormats {
      file.append(text: system)
      file.append(UInt32(formats.count))
      for format in formats { file.append(sized: format) }
    }
    for section in [symbols, printkFormats] {
      file.append(UInt32(section.count))
      file.bytes += section
    }
    file.append(sized: commandLines)
    file.append(UInt32(cpuCount))
    file.append(text: "options  ")
    for option in options + (clock.isEmpty ? [] : [.hasClock]) {
      file.append(option.number)
      file.append(UInt32(option.bytes.count))
      head.options.append(file.bytes.count)
      file.bytes += option.bytes
    }
    if let secondBuffer {
      var option = TraceBytes(isBigEndian: layout.isBigEndian)
      option.append(UInt64(0))
      option.append(text: secondBuffer)
      file.append(UInt16(3))
      file.append(UInt32(option.bytes.count))
      head.secondBuffer = file.bytes.count
      file.bytes += option.bytes
    }
    file.append(UInt16(0))
    let (table, place) = pageTable()
    head.table = file.bytes.count + place
    head.bytes = file.bytes + table
    return head
  }

  /// What stands before a buffer's pages.
  ///
  /// - Returns: the bytes, and where in them the table of CPUs is.
  func pageTable() -> (bytes: [UInt8], table: Int) {
    var file = TraceBytes(isBigEndian: layout.isBigEndian)
    file.append(text: "flyrecord")
    let place = file.bytes.count
    file.bytes += [UInt8](repeating: 0, count: 16 * cpuCount)
    if !clock.isEmpty { file.append(sized: clock) }
    return (file.bytes, place)
  }
}

/// Bytes with numbers in a target's order.
struct TraceBytes {
  let isBigEndian: Bool
  var bytes: [UInt8] = []

  mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: isBigEndian ? number.bigEndian : number.littleEndian) { bytes += $0 }
  }

  /// Text that ends with a NUL, which it must not hold.
  mutating func append(text: String) {
    bytes += text.utf8.filter { $0 != 0 }
    bytes.append(0)
  }

  /// A 64-bit count, and the bytes.
  mutating func append(sized content: [UInt8]) {
    append(UInt64(content.count))
    bytes += content
  }
}
