@testable import KelvinExecution

/// What Linux says of its pages on a 64-bit machine.
let headerPage64 = """
  \tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
  \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
  \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
  \tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;

  """

/// And on a 32-bit one.
let headerPage32 = """
  \tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
  \tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;
  \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
  \tfield: char data;\toffset:12;\tsize:4084;\tsigned:1;

  """

let headerEvent = """
  # compressed entry header
  \ttype_len    :    5 bits
  \ttime_delta  :   27 bits
  \tarray       :   32 bits

  \tpadding     : type == 29
  \ttime_extend : type == 30
  \ttime_stamp : type == 31
  \tdata max type_len  == 28

  """

extension RingBufferLayout {
  static func test(_ text: String = headerPage64, isBigEndian: Bool = false) -> RingBufferLayout? {
    RingBufferLayout(headerPage: Array(text.utf8), isBigEndian: isBigEndian)
  }
}

/// Builds a page record by record.
struct PageBuilder {
  let layout: RingBufferLayout
  var timestamp: UInt64 = 1_000_000
  var data: [UInt8] = []
  /// Beside the count of bytes.
  var flags: UInt64 = 0
  /// Behind the records, where the kernel puts the number of lost events.
  var stored: UInt64?

  init(_ layout: RingBufferLayout) { self.layout = layout }

  private func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    var bytes = TraceBytes(isBigEndian: layout.isBigEndian)
    bytes.append(number)
    return bytes.bytes
  }

  mutating func head(_ kind: UInt32, delta: UInt32 = 1000) {
    data += bytes(layout.isBigEndian ? kind << 27 | delta : delta << 5 | kind)
  }

  /// A record whose size stands in its head.
  mutating func record(_ content: [UInt8], delta: UInt32 = 1000) {
    let words = (content.count + 3) / 4
    head(UInt32(words), delta: delta)
    data += content + [UInt8](repeating: 0, count: words * 4 - content.count)
  }

  /// A record whose size stands behind its head.
  mutating func longRecord(_ content: [UInt8], delta: UInt32 = 1000) {
    head(0, delta: delta)
    data += bytes(UInt32(content.count + 4)) + content
    data += [UInt8](repeating: 0, count: (4 - content.count % 4) % 4)
  }

  mutating func timeExtension() {
    head(30)
    data += bytes(UInt32(3))
  }

  /// A record that was taken back.
  mutating func discarded(size: Int) {
    head(29)
    data += bytes(UInt32(size + 4)) + [UInt8](repeating: 0, count: size)
  }

  var page: [UInt8] {
    let commit = UInt64(data.count) | flags
    var page = bytes(timestamp)
    page += layout.commitSize == 8 ? bytes(commit) : bytes(UInt32(commit))
    page += data
    if let stored { page += layout.commitSize == 8 ? bytes(stored) : bytes(UInt32(stored)) }
    return page + [UInt8](repeating: 0, count: layout.pageSize - page.count)
  }
}
