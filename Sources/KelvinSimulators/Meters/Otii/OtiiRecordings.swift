internal import KelvinModel

/// What a simulated server answers of projects and recordings.
struct OtiiRecordings {
  let faults: OtiiFaults

  private typealias Reply = OtiiWords.Reply

  /// How often new samples come from the device, in seconds.
  private static let batch = 0.05

  func obey(
    _ command: String, _ data: [String: Value], _ unit: inout OtiiUnit, _ event: OtiiFaults.Event?
  ) -> OtiiWords.Reply {
    switch command {
    case "otii_get_active_project": return .data("{\"project_id\":\(unit.hasProject ? 1 : -1)}")
    case "otii_create_project":
      unit.hasProject = true
      unit.settings.append(command)
      return .data("{\"project_id\":1}")
    default: break
    }
    if command.hasPrefix("project_") {
      guard unit.hasProject, data["project_id"]?.integer == 1 else {
        return .refused("Project does not exist", "{}")
      }
      return project(command, data, &unit)
    }
    guard
      let place = unit.recordings.firstIndex(where: { $0.number == data["recording_id"]?.integer })
    else { return .value("recording_id", data["recording_id"] ?? .null) }
    switch command {
    case "recording_is_running": return .data("{\"running\":\(unit.recordings[place].end == nil)}")
    case "recording_delete":
      unit.recordings.remove(at: place)
      unit.settings.append(command)
      return .done
    default: return read(command, data, &unit, place, event)
    }
  }

  private func project(
    _ command: String, _ data: [String: Value], _ unit: inout OtiiUnit
  ) -> Reply {
    switch command {
    case "project_start_recording":
      guard unit.recordings.last.map({ $0.end != nil }) ?? true else {
        return .refused("Command failure", "{\"message\":\"it records\"}")
      }
      var rates = unit.ratesNow()
      for line in ["i1", "i2"] where unit.enabled.contains(line) { rates[line] = 0 }
      unit.recordings.append(
        .init(
          number: unit.recorded, begin: MonotonicTime.now.nanoseconds, end: nil, rates: rates,
          volts: unit.isOn ? unit.volts : 0))
      unit.recorded += 1
    case "project_stop_recording":
      guard let last = unit.recordings.indices.last, unit.recordings[last].end == nil else {
        return .refused("Command failure", "{\"message\":\"it does not record\"}")
      }
      unit.recordings[last].end = MonotonicTime.now.nanoseconds
    case "project_close":
      unit.hasProject = false
      unit.recordings = []
    case "project_get_last_recording":
      guard let last = unit.recordings.last else { return .data("{\"recording_id\":-1}") }
      return .data(
        "{\"recording_id\":\(last.number),\"name\":\"Recording \(last.number)\","
          + "\"start-time\":\"2026-11-27T10:00:00.000Z\",\"measurements\":[]}")
    default:
      unit.unknown.append(command)
      return .refused("Invalid command", "{}")
    }
    unit.settings.append(command)
    return .done
  }

  // MARK: samples

  private func read(
    _ command: String, _ data: [String: Value], _ unit: inout OtiiUnit, _ place: Int,
    _ event: OtiiFaults.Event?
  ) -> Reply {
    guard unit.isPlugged, data["device_id"]?.text == SimulatedOtii.device else {
      return .refused("Device not connected", "{\"device_id\":\"\(SimulatedOtii.device)\"}")
    }
    let channel = data["channel"]?.text ?? ""
    guard let rate = unit.recordings[place].rates[channel] else {
      return .value("channel", .text(channel))
    }
    // What there was before anything happens: a count never goes back while it is read.
    let seconds = span(unit.recordings[place])
    happen(event, channel, rate, data["index"]?.integer ?? 0, &unit, place)
    guard unit.isPlugged else {
      return .refused("Device not connected", "{\"device_id\":\"\(SimulatedOtii.device)\"}")
    }
    let recording = unit.recordings[place]
    let count =
      rate == 0
      ? Int64(OtiiWaveform.changes(channel, until: seconds).count)
      : Int64((seconds * rate).rounded(.down)) - (recording.gap[channel]?.count ?? 0)
    switch command {
    case "recording_get_channel_data_count": return .data("{\"count\":\(count)}")
    case "recording_get_channel_info":
      return .data("{\"offset\":0,\"from\":0,\"to\":\(seconds),\"sample_rate\":\(Int64(rate))}")
    case "recording_get_channel_data":
      guard let index = data["index"]?.integer, let most = data["count"]?.integer,
        (0...count).contains(index), (0...40_000).contains(most)
      else { return .value("index", data["index"] ?? .null) }
      let range = index..<min(index + most, count)
      return .data(
        rate == 0
          ? changes(channel, range, seconds)
          : samples(channel, range, rate, recording, isNull: event == .null))
    default:
      unit.unknown.append(command)
      return .refused("Invalid command", "{}")
    }
  }

  private func happen(
    _ event: OtiiFaults.Event?, _ channel: String, _ rate: Double, _ index: Int64,
    _ unit: inout OtiiUnit, _ place: Int
  ) {
    switch event {
    case .unplug: unit.isPlugged = false
    case .stall: unit.recordings[place].stall = MonotonicTime.now.nanoseconds
    case .gap(let count): unit.recordings[place].gap[channel] = (index, count)
    case .loss(let seconds): unit.recordings[place].lost = seconds
    case .back: unit.recordings[place].back = 1
    default: break
    }
  }

  /// How many seconds of a recording there are, by the device's clock.
  private func span(_ recording: OtiiUnit.Recording) -> Double {
    let now = recording.end ?? MonotonicTime.now.nanoseconds
    let end = min(now, recording.stall ?? .max)
    let seconds = Double(end &- recording.begin) / 1e9 * (1 + faults.skew) - recording.lost
    return max(0, (seconds / Self.batch).rounded(.down) * Self.batch)
  }

  private func samples(
    _ channel: String, _ range: Range<Int64>, _ rate: Double, _ recording: OtiiUnit.Recording,
    isNull: Bool
  ) -> String {
    // Samples behind a gap are those of later times.
    let gap = recording.gap[channel]
    let skipped = gap.map { range.lowerBound >= $0.index ? $0.count : 0 } ?? 0
    var values = range.map { index in
      "\(OtiiWaveform.value(channel, index + skipped, rate: rate, volts: recording.volts))"
    }
    if isNull, values.count > 2 { values[1] = "null" }
    let stamp = Double(range.lowerBound + skipped) / rate - recording.back
    return "{\"data_type\":\"analog\",\"timestamp\":\(stamp),\"interval\":\(1 / rate),\"values\":["
      + values.joined(separator: ", ") + "]}"
  }

  private func changes(_ channel: String, _ range: Range<Int64>, _ seconds: Double) -> String {
    let all = OtiiWaveform.changes(channel, until: seconds)
    let values = range.map { index in
      "{\"timestamp\":\(all[Int(index)].seconds),\"value\":\(all[Int(index)].isHigh)}"
    }
    return "{\"data_type\":\"digital\",\"values\":[\(values.joined(separator: ","))]}"
  }
}
