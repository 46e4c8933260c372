internal import KelvinConnections
internal import KelvinModel

/// What stands between a connection and an Otii: a login, and a license to automate. Used by one thread at a time.
struct OtiiLogin: Sendable {
  /// Whether this driver logged in.
  private(set) var isOurs = false
  /// That this driver reserved.
  private(set) var license: OtiiLicense?

  /// For people: `reserved license 1234 (Automation)`.
  var text: String {
    (isOurs ? "logged in" : "somebody's login") + ", "
      + (license.map { "reserved license \($0.number) (\($0.type))" } ?? "a license that was held")
  }

  /// Logs in and reserves a license, where that is still to be done.
  ///
  /// - Throws: `permission` when nobody is logged in and no user is named, or the server does not know that user;
  ///   `busy` when all licenses are taken.
  mutating func enter(
    _ options: OtiiOptions, _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) {
    if try !isLoggedIn(session, until: deadline) {
      guard let user = options.user, let source = options.password else {
        throw MeterFailure(
          .permission, "\(session.name): nobody is logged in",
          hint: "log in at Otii, or set 'user' and 'password-from'")
      }
      let password: [UInt8]
      do throws(PlainFailure) {
        password = try source.read()
      } catch {
        throw MeterFailure(.permission, "\(session.name): \(error.message)", hint: error.hint)
      }
      try session.ask(
        "otii_login",
        ["username": .text(user), "password": .text(String(decoding: password, as: UTF8.self))],
        until: deadline)
      isOurs = true
    }
    let data = try session.ask("otii_get_licenses", until: deadline)
    guard let list = data["licenses"]?.list else {
      throw session.lacks("licenses", "otii_get_licenses", data)
    }
    switch OtiiLicense.choose(list.compactMap { OtiiLicense($0) }) {
    case .held: break
    case .reserve(let free):
      try session.ask(
        "otii_reserve_license", ["license_id": .integer(free.number)], until: deadline)
      license = free
    case .none(let holders):
      throw MeterFailure(
        holders.isEmpty ? .permission : .busy,
        "\(session.name): no license to automate is free",
        evidence: holders.isEmpty ? "" : "reserved to " + holders.joined(separator: ", "),
        hint: holders.isEmpty
          ? "the account has none: Otii's Automation Toolbox" : "close the other program")
    }
  }

  private func isLoggedIn(
    _ session: OtiiSession, until deadline: Deadline
  ) throws(MeterFailure) -> Bool {
    do throws(MeterFailure) {
      return try session.ask("otii_is_logged_in", until: deadline)["logged_in"]?.boolean ?? false
    } catch {
      // Otii before 3.5.5 cannot be asked: whether there are licenses tells it.
      guard error.code == .unsupported else { throw error }
      do throws(MeterFailure) {
        try session.ask("otii_get_licenses", until: deadline)
        return true
      } catch {
        guard error.code == .permission else { throw error }
        return false
      }
    }
  }

  /// Gives back the license, and logs out, where this driver did that.
  mutating func leave(_ session: OtiiSession, until deadline: Deadline) throws(MeterFailure) {
    if let held = license {
      license = nil
      try session.ask(
        "otii_return_license", ["license_id": .integer(held.number)], until: deadline)
    }
    guard isOurs else { return }
    isOurs = false
    try session.ask("otii_logout", until: deadline)
  }
}
