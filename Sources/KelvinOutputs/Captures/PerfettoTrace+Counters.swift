internal import KelvinModel

extension PerfettoWriter {
  /// The most values a second that a track gets.
  private static let fullRate = 1000.0
  /// Of reduced tracks, in nanoseconds.
  private static let bin: Int64 = 1_000_000
  /// Between two values of a power rail, in nanoseconds.
  private static let railInterval: Int64 = 100_000_000

  mutating func counters(_ index: Int) throws {
    let channel = source.channels[index]
    var count = 0
    var first: Int64?
    var last: Int64 = 0
    try source.forEachBlock(index) { block in
      count += block.times.count
      first = first ?? block.times.first
      last = block.times.last ?? last
    }
    guard let first else { return }
    let rate = last > first ? Double(count - 1) / (Double(last - first) / 1e9) : 0
    // A little above the limit is still whole: a nominal 1 kHz is not reduced for its jitter.
    guard rate > Self.fullRate * 1.01 else {
      let track = try self.track(channel.name, unit: channel.unit)
      try source.forEachBlock(index) { block in
        for (place, code) in block.codes.enumerated() {
          try counter(track, at: source.clock.host(block.times[place]), channel.value(of: code))
        }
      }
      return
    }
    let text = "of each millisecond, of \(Int(rate.rounded())) samples a second"
    notes.append(
      "\(channel.name): least, mean and greatest value \(text); 'kelvin export --format csv' or "
        + "'jls' has them all")
    let parent = try track(channel.name, description: "Values \(text).")
    let names = ["min", "mean", "max"]
    var tracks: [UInt64] = []
    for name in names {
      let description = "The \(name) \(text)."
      tracks.append(
        try track(
          "\(channel.name) \(name)", description: description, parent: parent,
          unit: channel.unit))
    }
    var bin = Bin()
    try source.forEachBlock(index) { block in
      for (place, code) in block.codes.enumerated() {
        let time = source.clock.host(block.times[place])
        let start = time - time % Self.bin
        if bin.count > 0, start != bin.start { try flush(bin, tracks) }
        if start != bin.start || bin.count == 0 { bin = Bin(start: start) }
        bin.add(channel.value(of: code))
      }
    }
    if bin.count > 0 { try flush(bin, tracks) }
  }

  private func flush(_ bin: Bin, _ tracks: [UInt64]) throws {
    try counter(tracks[0], at: bin.start, bin.min)
    try counter(tracks[1], at: bin.start, bin.sum / Double(bin.count))
    try counter(tracks[2], at: bin.start, bin.max)
  }

  private struct Bin {
    var start: Int64 = 0
    var count = 0
    var sum = 0.0
    var min = Double.infinity
    var max = -Double.infinity

    mutating func add(_ value: Double) {
      count += 1
      sum += value
      min = Swift.min(min, value)
      max = Swift.max(max, value)
    }
  }

  // MARK: - Power rails

  /// Energy since the capture began: an energy channel's own count, or a power channel's trapezoids,
  /// outside gaps.
  mutating func rails() throws {
    let rails = source.channels.indices.filter {
      let channel = source.channels[$0]
      return channel.kind == .power && channel.unit == "W"
        || channel.kind == .energy && channel.unit == "J"
    }
    guard !rails.isEmpty else { return }
    try packet(at: try source.firstTime()) { packet in
      packet.group(Field.powerRails) { message in
        for (number, index) in rails.enumerated() {
          message.group(1) { descriptor in
            descriptor.add(1, UInt64(number))
            descriptor.add(2, source.channels[index].name)
            descriptor.add(3, source.channels[index].site)
          }
        }
      }
    }
    for (number, index) in rails.enumerated() { try rail(index, number: UInt64(number)) }
  }

  private func rail(_ index: Int, number: UInt64) throws {
    let channel = source.channels[index]
    let isPower = channel.kind == .power
    let gaps = source.events.filter { $0.kind.isGap && $0.channel ?? index == index }
      .sorted { $0.from < $1.from }
    var nextGap = 0
    var energy = 0.0
    var start: Double?
    var last: (time: Int64, value: Double)?
    var written: Int64?
    var pending: Int64?
    try source.forEachBlock(index) { block in
      for (place, code) in block.codes.enumerated() {
        let time = block.times[place]
        let value = channel.value(of: code)
        if isPower {
          if let last {
            // By its middle, since a gap's ends may be a little off the samples.
            let middle = last.time + (time - last.time) / 2
            while nextGap < gaps.count, gaps[nextGap].to <= middle { nextGap += 1 }
            let isGap = nextGap < gaps.count && gaps[nextGap].from <= middle
            if !isGap { energy += (last.value + value) / 2 * Double(time - last.time) / 1e9 }
          }
          last = (time, value)
        } else {
          start = start ?? value
          energy = value - (start ?? value)
        }
        if time - (written ?? .min / 2) >= Self.railInterval {
          try rail(number, at: time, energy)
          written = time
          pending = nil
        } else {
          pending = time
        }
      }
    }
    if let pending { try rail(number, at: pending, energy) }
  }

  private func rail(_ number: UInt64, at time: Int64, _ energy: Double) throws {
    let host = source.clock.host(time)
    try packet(at: host) { packet in
      packet.group(Field.powerRails) { message in
        message.group(2) { data in
          data.add(1, number)
          if let reference = source.reference {
            let boottime = host - reference.monotonic + reference.boottime
            data.add(2, UInt64(max(0, boottime / 1_000_000)))
          }
          data.add(3, UInt64(min(max(0, (energy * 1e6).rounded()), 1e18)))
        }
      }
    }
  }
}
