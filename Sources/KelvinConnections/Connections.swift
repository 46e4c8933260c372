public import KelvinModel

/// Makes the connections that bench files choose: the one place that knows which kind there is.
public enum Connections {
  /// Makes a connection; nothing is reached before its first use.
  ///
  /// - Parameters:
  ///   - choice: valid against ``ConnectionDeclarations/connections``.
  ///   - board: whose connection it is: under its name the owner of ports holds its line.
  ///   - profile: says how fast its line is and who logs in, where the bench file does not.
  ///   - environment: added to that of every command.
  /// - Throws: `configuration`, where an option's text says nothing or this kind is not there yet.
  public static func make(
    _ choice: DriverChoice, of board: BoardEntry? = nil, profile: BoardProfile? = nil,
    environment: [String: String] = [:]
  ) throws(PlainFailure) -> any Connection {
    let options = Options(choice)
    switch choice.driver {
    case "local":
      return LocalConnection(
        root: options.text("root") ?? "/", environment: environment,
        rootAccess: try rootAccess(options))
    case "ssh":
      return ShellConnection(
        SSHTransport(try sshOptions(options)), environment: environment,
        root: try rootAccess(options))
    case "adb":
      return ADBConnection(
        try adbDevice(options), environment: environment, root: try rootAccess(options),
        restartsAsRoot: options.text("become") == "adb-root")
    case _ where ConnectionDeclarations.isLine(choice.driver):
      return try console(choice, board, profile, environment)
    default:
      throw PlainFailure(
        .configuration, "\(choice.location): '\(choice.driver)' takes no commands",
        hint: "'local', 'ssh', 'adb' do, and every kind of console")
    }
  }

  private static func console(
    _ choice: DriverChoice, _ board: BoardEntry?, _ profile: BoardProfile?,
    _ environment: [String: String]
  ) throws(PlainFailure) -> any Connection {
    let options = Options(choice)
    let password = try options.password()
    let user = options.text("login") ?? profile?.login?.user
    let baud = profile?.consoleBaud.flatMap { UInt32(exactly: $0) }
    return ConsoleConnection(
      OwnedLine(
        board: board?.name ?? choice.driver, choice, console: board?.console, baud: baud),
      bitsPerSecond: OwnedLine.rate(choice, baud), environment: environment,
      root: try rootAccess(options)
    ) { () throws(ConnectionFailure) in
      guard let user else { return nil }
      do throws(PlainFailure) {
        return ConsoleLogin(user: user, password: try password?.read())
      } catch {
        throw ConnectionFailure(.permissionDenied, error.message, hint: error.hint)
      }
    }
  }

  private static func adbDevice(_ options: Options) throws(PlainFailure) -> any ADBDevice {
    if let usb = options.map("usb") {
      return ADBDirectDevice(usb: usb["match"] == nil ? nil : DeviceMatch(usb["match"]))
    }
    if let text = options.text("tcp") {
      guard let address = ADBServer(text, startsServer: false), text.contains(":") else {
        throw options.failure("tcp", "'\(text)' is no HOST:PORT")
      }
      return ADBDirectDevice(host: address.host, port: address.port)
    }
    let text = options.text("server") ?? "127.0.0.1:\(ADBServer.defaultPort)"
    guard let server = ADBServer(text) else {
      throw options.failure("server", "'\(text)' is no HOST:PORT")
    }
    return ADBServerDevice(server, options.text("serial").map { .serial($0) } ?? .any)
  }

  /// Nil where the user is root, or adbd becomes it.
  private static func rootAccess(_ options: Options) throws(PlainFailure) -> RootAccess? {
    var password: PasswordSource?
    if let text = options.text("root-password-from") {
      do {
        password = try PasswordSource(text)
      } catch {
        throw PlainFailure(
          .configuration, "\(options.location): root-\(error.message)", hint: error.hint)
      }
    }
    return options.text("become").flatMap(RootAccess.Method.init(rawValue:))
      .map { RootAccess($0, password: password) }
  }

  private static func sshOptions(_ options: Options) throws(PlainFailure) -> SSHOptions {
    var ssh = SSHOptions(
      host: options.text("host") ?? "", port: options.integer("port"), user: options.text("user"),
      key: options.text("key"), configuration: options.text("config"))
    if ssh.host.isEmpty || ssh.host.contains(where: { $0.isWhitespace || $0.isNewline }) {
      throw options.failure("host", "'\(ssh.host)' is no host")
    }
    ssh.password = try options.password()
    switch options.text("host-key") {
    case nil: break
    case "strict": ssh.hostKey = .strict
    case "accept-new": ssh.hostKey = .acceptNew
    case let text? where text.hasPrefix("file:") && text.utf8.count > 5:
      ssh.hostKey = .file(String(text.dropFirst(5)))
    case let text?:
      throw options.failure(
        "host-key", "'\(text)' is none of 'strict', 'accept-new' and 'file:PATH'")
    }
    return ssh
  }

  /// The options of a choice, by name.
  private struct Options {
    let location: SourceLocation
    private let values: [String: Value]

    init(_ choice: DriverChoice) {
      location = choice.location
      values = choice.options
    }

    func text(_ name: String) -> String? {
      values[name]?.text
    }

    /// Where the password is; nil when nothing says so.
    func password() throws(PlainFailure) -> PasswordSource? {
      guard let text = text("password-from") else { return nil }
      do { return try PasswordSource(text) } catch {
        throw PlainFailure(
          .configuration, "\(location): \(error.message)", hint: error.hint)
      }
    }

    func map(_ name: String) -> [String: Value]? {
      if case .map(let map)? = values[name] { map } else { nil }
    }

    func integer(_ name: String) -> Int? {
      values[name]?.integer.flatMap { Int(exactly: $0) }
    }

    func failure(_ name: String, _ what: String) -> PlainFailure {
      PlainFailure(.configuration, "\(location): \(name): \(what)")
    }
  }
}
