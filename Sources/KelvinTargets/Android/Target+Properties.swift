public import KelvinConnections
public import KelvinModel

extension Target {
  /// All properties, in one round trip.
  ///
  /// A board without Android's getprop has those of its facts (``TargetFacts/fingerprint``), which
  /// cannot be set, and `uptime`, in seconds.
  public func properties(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String: String] {
    let found = try await connection.findExecutables(["getprop"], until: deadline)
    guard found[0] != nil else {
      var values = try await facts(until: deadline).fingerprint
      let uptime = try await connection.read("/proc/uptime", until: deadline)
      values["uptime"] = String(decoding: uptime.prefix { $0 != 32 }, as: UTF8.self)
      return values
    }
    let result = try await runTool(["getprop"], until: deadline)
    guard result.isSuccess, !result.standardOutput.isTruncated else {
      throw refusal("getprop", result, doing: "read properties")
    }
    return PropertyList(result.standardOutput.bytes).values
  }

  /// Sets a property, and reads it back: setprop ends well where the value was not taken.
  ///
  /// - Throws: `refused` when the property has another value afterwards; `unsupported` where there is no
  ///   setprop.
  public func setProperty(
    _ property: String, to value: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let script = "setprop \"$1\" \"$2\" && getprop \"$1\""
    let result = try await runTool(["sh", "-c", script, "sh", property, value], until: deadline)
    guard result.isSuccess else {
      throw refusal(
        "setprop", result, doing: "set \(property)",
        hint: "properties of 'ro.' are set once, and others may be for root alone")
    }
    guard result.standardOutput.bytes == Array((value + "\n").utf8) else {
      throw ConnectionFailure(
        .refused("not taken"),
        "\(name): \(property) is '"
          + result.standardOutput.text.trimmingBlanks + "' after it was set to '\(value)'",
        hint: "properties of 'ro.' are set once, and others may be for root alone")
    }
  }
}
