internal import KelvinModel

extension ADBServer {
  /// What a FAIL of the server means; the texts are those of AOSP's transport.cpp and adb.cpp.
  func refusal(
    _ text: String, of service: String, on stream: String, until deadline: Deadline
  ) -> ConnectionFailure {
    let first = text.split(separator: "\n").first.map(String.init) ?? text
    let subject = ADBServer.subject(of: service) ?? stream
    if text.contains("unauthorized") {
      return ConnectionFailure(
        .unreachable(.notAdmitted), "\(subject): does not trust this host yet: \(first)",
        hint: "accept the key of this host on the device's screen; where there is none, add the "
          + "line of ~/.android/adbkey.pub to /data/misc/adb/adb_keys on it")
    }
    if text.contains("no permissions") || text.contains("insufficient permissions") {
      return ConnectionFailure(
        .permissionDenied, "\(subject): the adb server may not open it: \(first)",
        hint: "'kelvin bench udev --install' grants it; then plug it in again")
    }
    if text.contains("more than one") {
      return ConnectionFailure(
        .unsupported, "\(subject): \(first)",
        hint: "name one by its serial number; two with one serial number by the path of its port, "
          + "such as 'usb:1-1'" + known(until: deadline))
    }
    if text.contains("not found") || text.contains("no devices") || text.contains("no device") {
      return ConnectionFailure(
        .unreachable(.noAnswer), "\(subject): \(first) (\(self))",
        hint: "is it up, plugged in, and with USB debugging on?" + known(until: deadline))
    }
    if text.contains("offline") {
      return ConnectionFailure(
        .unreachable(.noAnswer), "\(subject): \(first)",
        hint: "it does not answer the adb server: is it up? plugging it in again, or "
          + "'adb reconnect offline', may help")
    }
    if text.contains("authorizing") || text.contains("connecting") {
      return ConnectionFailure(
        .unreachable(.closed), "\(subject): \(first)", hint: "it is not ready yet; try again")
    }
    if text == "closed" {
      return ConnectionFailure(.unsupported, "\(subject): the device refused '\(service)'")
    }
    return ConnectionFailure(.unsupported, "\(subject): refused '\(service)': \(first)")
  }

  /// The device that a request is about, in words; nil when it is about none.
  private static func subject(of service: String) -> String? {
    for prefix in ["host:transport:", "host:tport:serial:"] where service.hasPrefix(prefix) {
      return "adb device \(service.dropFirst(prefix.count))"
    }
    if service.hasPrefix("host-serial:") {
      // A serial number may hold a colon: HOST:PORT.
      let words = service.split(separator: ":").dropFirst()
      guard let serial = words.first else { return nil }
      let port = words.dropFirst().first.flatMap { UInt16($0) }
      return "adb device \(serial)" + (port.map { ":\($0)" } ?? "")
    }
    return nil
  }

  /// The devices that there are, as the end of a hint.
  private func known(until deadline: Deadline) -> String {
    guard let devices = try? devices(until: deadline.limited(toSeconds: 2)) else { return "" }
    guard !devices.isEmpty else { return "; it knows no device" }
    let list = devices.map { device in
      "\(device.serial.isEmpty ? "(no serial number)" : device.serial) (\(device.state)"
        + (device.path.map { ", \($0)" } ?? "")
        + (device.transportID.map { ", transport \($0)" } ?? "") + ")"
    }
    return "; it knows: \(list.joined(separator: ", "))"
  }
}
