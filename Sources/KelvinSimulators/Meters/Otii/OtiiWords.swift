internal import KelvinModel

/// What a simulated server answers to each command.
struct OtiiWords {
  let faults: OtiiFaults

  enum Reply {
    /// JSON of the answer's data.
    case data(String)
    case refused(String, String)

    static var done: Reply { .data("{}") }
    static func missing(_ key: String) -> Reply {
      .refused("Missing key in request", "{\"key\":\"\(key)\"}")
    }
    static func value(_ key: String, _ value: Value) -> Reply {
      .refused("Invalid key value", "{\"key\":\"\(key)\",\"value\":\(value.json)}")
    }
  }

  private static let recent: Set<String> = [
    "otii_is_logged_in", "recording_is_running", "arc_add_to_project"
  ]

  func obey(
    _ command: String, _ data: [String: Value], _ unit: inout OtiiUnit, _ event: OtiiFaults.Event?
  ) -> Reply {
    if faults.isOld, Self.recent.contains(command) { return .refused("Invalid command", "{}") }
    if let reply = account(command, data, &unit) { return reply }
    guard unit.isLoggedIn else { return .refused("Not logged in", "{}") }
    guard unit.holders.contains("kelvin") || command == "otii_get_devices" else {
      return .refused("No license", "{}")
    }
    if command == "otii_get_devices" { return .data(devices(unit)) }
    if command.hasPrefix("arc_") {
      guard unit.isPlugged, data["device_id"]?.text == SimulatedOtii.device else {
        return .refused(
          "Device not connected", "{\"device_id\":\"\(data["device_id"]?.text ?? "")\"}")
      }
      return device(command, data, &unit)
    }
    return OtiiRecordings(faults: faults).obey(command, data, &unit, event)
  }

  private func devices(_ unit: OtiiUnit) -> String {
    guard unit.isPlugged else { return "{\"devices\":[]}" }
    return
      "{\"devices\":[{\"device_id\":\"\(SimulatedOtii.device)\",\"name\":\"\(SimulatedOtii.name)\","
      + "\"type\":\"\(unit.model.type)\"},{\"device_id\":\"Uart1\",\"name\":\"A port\",\"type\":\"Uart\"}]}"
  }

  // MARK: accounts

  private func account(
    _ command: String, _ data: [String: Value], _ unit: inout OtiiUnit
  ) -> Reply? {
    switch command {
    case "otii_is_logged_in": return .data("{\"logged_in\":\(unit.isLoggedIn)}")
    case "otii_login":
      guard data["username"]?.text == "kelvin", data["password"]?.text == faults.password else {
        return .refused("Could not login", "{\"message\":\"\(data["password"]?.text ?? "")\"}")
      }
      unit.isLoggedIn = true
      unit.settings.append(command)
      return .done
    case "otii_logout":
      unit.isLoggedIn = false
      unit.settings.append(command)
      return .done
    case "otii_get_licenses":
      guard unit.isLoggedIn else { return .refused("Not logged in", "{}") }
      let all = unit.holders.enumerated().map { number, holder in
        "{\"id\":\(number + 1),\"type\":\"Automation\",\"available\":\(holder != "joe"),"
          + "\"reserved_to\":\"\(holder)\",\"hostname\":\"\(holder.isEmpty ? "" : "desk")\"}"
      }
      let other = #"{"id":99,"type":"Pro","available":true,"reserved_to":"","hostname":""}"#
      return .data("{\"licenses\":[\((all + [other]).joined(separator: ","))]}")
    case "otii_reserve_license", "otii_return_license":
      let isReserving = command == "otii_reserve_license"
      guard let number = data["license_id"]?.integer,
        (1...Int64(unit.holders.count)).contains(number),
        (unit.holders[Int(number) - 1] == "") == isReserving
      else {
        return .refused("License could not be \(isReserving ? "reserved" : "returned")", "{}")
      }
      unit.holders[Int(number) - 1] = isReserving ? "kelvin" : ""
      unit.settings.append(command)
      return .done
    case "otii_has_license":
      return .data("{\"has_license\":\(unit.holders.contains("kelvin"))}")
    default: return nil
    }
  }

  // MARK: the device

  private func device(
    _ command: String, _ data: [String: Value], _ unit: inout OtiiUnit
  ) -> Reply {
    let channel = data["channel"]?.text ?? ""
    switch command {
    case "arc_get_version":
      return .data(#"{"hw_version":"1.3.1","fw_version":"2.0.4"}"#)
    case "arc_is_connected": return .data("{\"connected\":true}")
    case "arc_add_to_project": return .done
    case "arc_get_4wire": return .data("{\"value\":\"disabled\"}")
    case "arc_get_main_voltage": return .data("{\"value\":\(unit.volts)}")
    case "arc_get_max_current": return .data("{\"value\":\(unit.currentLimit)}")
    case "arc_get_main": return .data("{\"value\":\(unit.isOn)}")
    case "arc_get_range": return .data("{\"range\":\"\(unit.range)\"}")
    case "arc_get_channel_samplerate":
      guard let rate = unit.rates[channel] else { return .value("channel", .text(channel)) }
      return .data("{\"value\":\(Int64(rate))}")
    default: return set(command, data, channel, &unit)
    }
  }

  private func set(
    _ command: String, _ data: [String: Value], _ channel: String, _ unit: inout OtiiUnit
  ) -> Reply {
    let value = data["value"] ?? data["enable"] ?? data["range"]
    let number = value?.number
    var next = unit
    switch command {
    case "arc_set_main_voltage":
      guard let number, (0...5).contains(number) else { return .value("value", value ?? .null) }
      // In steps of a millivolt.
      next.volts = (number * 1000).rounded() / 1000
    case "arc_set_max_current":
      guard let number, (0.001...5).contains(number) else { return .value("value", value ?? .null) }
      next.currentLimit = number
    case "arc_set_main":
      guard let isOn = value?.boolean else { return .missing("enable") }
      next.isOn = isOn
    case "arc_set_range":
      guard let text = value?.text, ["low", "high"].contains(text) else { return .missing("range") }
      next.range = text
    case "arc_set_channel_samplerate":
      guard unit.model == .ace else {
        return .refused("Command not valid for device type", "{}")
      }
      guard let number, [1000, 4000, 10_000, 50_000].contains(number), unit.rates[channel] != nil
      else { return .value("value", value ?? .null) }
      next.rates[channel] = number
    case "arc_enable_channel":
      guard let isOn = value?.boolean, unit.rates[channel] != nil || channel.hasPrefix("i") else {
        return .value("channel", .text(channel))
      }
      if isOn { next.enabled.insert(channel) } else { next.enabled.remove(channel) }
    default:
      unit.unknown.append(command)
      return .refused("Invalid command", "{}")
    }
    next.settings.append(
      [command, channel, value?.display ?? ""].filter { !$0.isEmpty }.joined(separator: " "))
    if !faults.isDeaf { unit = next }
    return .done
  }
}
