internal import KelvinModel

extension CaptureCSV {
  /// Reads a file of ``write(_:to:)``, or any whose first column is a time that grows.
  ///
  /// Units stand behind names, in brackets or parentheses: `current [mA]`, `Timestamp(ms)`; a time
  /// without one is in seconds. Values in milli-, micro- or nanounits become base units.
  ///
  /// - Parameter name: what to call the capture when the file does not say.
  /// - Returns: what was read, with ``ImportedCapture/damage`` when a line made it end early.
  /// - Throws: ``CaptureFileFailure`` when there is not one row.
  public static func read(
    _ bytes: [UInt8], name: String
  ) throws(CaptureFileFailure) -> ImportedCapture {
    var reader = CSVReader(name: name)
    reader.read(bytes)
    return try reader.finish()
  }
}

/// Reads a CSV file line by line.
private struct CSVReader {
  let name: String
  private var header: ImportedCapture?
  private var start: Int64 = 0
  private var columns: [Channel] = []
  private var factors: [Double] = []
  private var timeUnit = 1.0
  private var times: [[Int64]] = []
  private var values: [[Double]] = []
  /// Where a `nan` stood since the last value of a column.
  private var isBroken: [Bool] = []
  private var gaps: [CaptureEvent] = []
  private var lastTime: Int64?
  private var rows = 0
  private var promisedRows: Int?
  private var line = 0
  private var damage: CaptureFileFailure?

  init(name: String) { self.name = name }

  mutating func read(_ bytes: [UInt8]) {
    var position = 0
    while position < bytes.count, damage == nil {
      let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      line += 1
      // A last line without its end was cut in a file of ours, which ends with one.
      if end == bytes.count, header != nil {
        damage = failure(.truncated, "the last line has no end")
        return
      }
      var last = end
      if last > position, bytes[last - 1] == UInt8(ascii: "\r") { last -= 1 }
      if last > position { take(bytes[position..<last]) }
      position = end + 1
    }
  }

  private func failure(_ code: CaptureFileFailure.Code, _ problem: String) -> CaptureFileFailure {
    CaptureFileFailure(code, "line \(line): \(problem)")
  }

  private mutating func take(_ bytes: ArraySlice<UInt8>) {
    if bytes.first == UInt8(ascii: "#") {
      let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
      let body = String(text.drop { $0 == " " })
      if header == nil, columns.isEmpty, let read = CaptureHeader.read(body) {
        header = read
        start = CaptureHeader.time(Value(json: body)?.map?["start"]) ?? 0
      } else if body.hasPrefix("end: ") {
        promisedRows = body.dropFirst(5).split(separator: " ").first.flatMap { Int($0) }
      }
      return
    }
    let cells = Self.cells(bytes)
    if columns.isEmpty {
      begin(cells)
    } else {
      row(cells)
    }
  }

  // MARK: - Names

  private mutating func begin(_ cells: [String]) {
    guard cells.count >= 2, cells.count <= 1025 else {
      damage = failure(.notThisFormat, "\(cells.count) columns, where a time and values belong")
      return
    }
    // Without names, the first line is a row already.
    let isRow = cells.allSatisfy { Double($0) != nil }
    let parts = cells.enumerated().map { index, cell in
      isRow ? (index == 0 ? "time" : "column \(index)", "") : Self.name(cell)
    }
    timeUnit = Self.timeUnits[parts[0].1] ?? 1e9
    for (name, unit) in parts.dropFirst() {
      let (base, kind, factor) = Self.base(unit)
      columns.append(Channel(name: name, unit: base, kind: kind))
      factors.append(factor)
    }
    if let header, header.channels.count == columns.count {
      columns = header.channels
      factors = Array(repeating: 1, count: columns.count)
    } else {
      header = nil
    }
    times = Array(repeating: [], count: columns.count)
    values = Array(repeating: [], count: columns.count)
    isBroken = Array(repeating: false, count: columns.count)
    if isRow { row(cells) }
  }

  private static let timeUnits: [String: Double] = [
    "s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1
  ]

  /// `name [unit]` or `name(unit)`.
  private static func name(_ cell: String) -> (String, String) {
    for (open, close) in [("[", "]"), ("(", ")")] as [(Character, Character)] {
      guard cell.last == close, let start = cell.lastIndex(of: open) else { continue }
      let unit = cell[cell.index(after: start)...].dropLast()
      return (String(String(cell[..<start]).trimmingASCIIWhitespace), String(unit))
    }
    return (cell, "")
  }

  /// The unit without its prefix, what it measures, and by how much values are multiplied.
  private static func base(_ unit: String) -> (String, MeterChannel.Kind?, Double) {
    let kinds: [String: MeterChannel.Kind] = [
      "V": .voltage, "A": .current, "W": .power, "J": .energy, "C": .charge
    ]
    if let kind = kinds[unit] { return (unit, kind, 1) }
    let factors: [Character: Double] = [
      "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3
    ]
    if let first = unit.first, let factor = factors[first],
      let kind = kinds[String(unit.dropFirst())]
    {
      return (String(unit.dropFirst()), kind, factor)
    }
    return (unit, nil, 1)
  }

  // MARK: - Rows

  private mutating func row(_ cells: [String]) {
    guard cells.count == columns.count + 1 else {
      damage = failure(.corrupt, "\(cells.count) cells, where \(columns.count + 1) belong")
      return
    }
    guard let offset = Self.nanoseconds(cells[0], unit: timeUnit) else {
      damage = failure(.corrupt, "'\(cells[0].cut(40))' is no time")
      return
    }
    let time = start &+ offset
    guard lastTime.map({ time >= $0 }) ?? true else {
      damage = failure(.corrupt, "the time goes back")
      return
    }
    for index in columns.indices where !cells[index + 1].isEmpty {
      guard let value = Double(cells[index + 1]) else {
        damage = failure(.corrupt, "'\(cells[index + 1].cut(40))' is no number")
        return
      }
      guard value.isFinite else {
        isBroken[index] = true
        continue
      }
      if isBroken[index], let from = times[index].last {
        gaps.append(CaptureEvent(.gap, channel: index, from: from, to: time))
      }
      isBroken[index] = false
      times[index].append(time)
      values[index].append(value)
    }
    lastTime = time
    rows += 1
  }

  /// Seconds with up to nine decimals exactly, everything else by floating point.
  private static func nanoseconds(_ cell: String, unit: Double) -> Int64? {
    if unit == 1e9, let dot = cell.utf8.firstIndex(of: UInt8(ascii: ".")) {
      let decimals = cell[cell.index(after: dot)...]
      let isPlain = decimals.utf8.count <= 9 && decimals.utf8.allSatisfy { 48...57 ~= $0 }
      if isPlain, let whole = Int64(cell[..<dot]), whole.magnitude < 2_000_000_000,
        let part = Int64(decimals + String(repeating: "0", count: 9 - decimals.utf8.count))
      {
        return whole * 1_000_000_000 + (cell.hasPrefix("-") ? -part : part)
      }
    }
    guard let value = Double(cell), (value * unit).magnitude < 0x1p61 else { return nil }
    return Int64((value * unit).rounded())
  }

  private static func cells(_ bytes: ArraySlice<UInt8>) -> [String] {
    guard bytes.contains(UInt8(ascii: "\"")) else {
      return bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
        String(String(decoding: $0, as: UTF8.self).trimmingASCIIWhitespace)
      }
    }
    var cells: [String] = []
    var cell: [UInt8] = []
    var isQuoted = false
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\""):
        // A doubled quote inside a quoted cell closes and opens it again.
        if !isQuoted, !cell.isEmpty { cell.append(byte) }
        isQuoted.toggle()
      case UInt8(ascii: ",") where !isQuoted:
        cells.append(String(decoding: cell, as: UTF8.self))
        cell.removeAll()
      default: cell.append(byte)
      }
    }
    return cells + [String(decoding: cell, as: UTF8.self)]
  }

  // MARK: - End

  mutating func finish() throws(CaptureFileFailure) -> ImportedCapture {
    guard rows > 0 || header != nil && !columns.isEmpty else {
      throw damage
        ?? CaptureFileFailure(.notThisFormat, "not a table of samples: no row with a time in it")
    }
    if header != nil, damage == nil, promisedRows != rows {
      damage = CaptureFileFailure(
        .truncated, "the file ends early: \(rows) rows, and no line that says so")
    }
    var capture = ImportedCapture(name: header?.name ?? name, channels: columns)
    if let header {
      capture.meter = header.meter
      capture.clock = header.clock
      capture.reference = header.reference
      capture.events = header.events
    } else {
      capture.events = gaps
    }
    for index in columns.indices {
      var codes = ValueCodes(scale: columns[index].scale, offset: columns[index].offset)
      if header == nil || !values[index].allSatisfy(codes.holds) {
        codes = ValueCodes(fitting: values[index])
        capture.channels[index].scale = codes.scale * factors[index]
        capture.channels[index].offset = 0
        if !codes.isExact {
          capture.notes.append("\(columns[index].name): the smallest values were rounded")
        }
      }
      capture.append(
        channel: index, times: times[index], codes: values[index].compactMap(codes.code))
    }
    capture.damage = damage
    return capture
  }
}
