import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import KelvinTargets
import Testing

/// The HTTP switches against programs of others: pdudaemon itself, Python's http.server and hashlib.
@Suite(.timeLimit(.minutes(2)))
struct PowerThirdPartyTests {
  static let python = "/usr/bin/python3"
  static let hasPython = access(python, X_OK) == 0
  static let daemon = "/usr/sbin/pdudaemon"
  static let hasDaemon = access(daemon, X_OK) == 0

  /// A plug in Python, on a free port that it prints. Arguments: `digest` wants Shelly's way to log in,
  /// `tls CERT KEY` speaks HTTPS.
  static let plug = """
    import hashlib, http.server, json, re, ssl, sys
    on = False
    class Plug(http.server.BaseHTTPRequestHandler):
        def log_message(self, *a): pass
        def say(self, status, value, *headers):
            body = json.dumps(value).encode()
            self.send_response(status)
            for name, text in headers: self.send_header(name, text)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def allowed(self):
            if 'digest' not in sys.argv: return True
            h = lambda t: hashlib.sha256(t.encode()).hexdigest()
            given = self.headers.get('Authorization', '')
            d = dict(re.findall(r'(\\w+)="?([^",]+)"?', given))
            first = h('admin:shelly-1:' + 'p:w')
            second = h(self.command + ':' + self.path)
            return given.startswith('Digest ') and d.get('nonce') == '60dc2c' \\
                and d.get('uri') == self.path and d.get('response') == h(':'.join(
                [first, d['nonce'], d['nc'], d['cnonce'], d['qop'], second]))
        def do_GET(self):
            global on
            if self.path == '/shelly': return self.say(200, {'gen': 2, 'auth_en': True})
            if not self.allowed():
                return self.say(401, None, ('WWW-Authenticate', 'Digest qop="auth", '
                    'realm="shelly-1", nonce="60dc2c", algorithm=SHA-256'))
            if 'on=true' in self.path or self.path == '/on': on = True
            if 'on=false' in self.path or self.path == '/off': on = False
            self.say(200, {'id': 0, 'output': on})
    server = http.server.HTTPServer(('127.0.0.1', 0), Plug)
    if 'tls' in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    open(sys.argv[-1], 'w').write(str(server.server_port) + '\\n')
    server.serve_forever()
    """

  /// Starts the plug; gives its port.
  func start(
    _ directory: Directory, _ arguments: [String]
  ) async throws -> (process: any RemoteProcess, port: String) {
    let script = try directory.write("plug.py", Self.plug)
    let process = try await LocalConnection().start(
      Command([Self.python, script] + arguments + [directory.path + "/port"]), until: soon)
    let deadline = soon
    while true {
      if let text = SmallFile.text(directory.path + "/port"), !text.isEmpty {
        return (process, text)
      }
      guard deadline.limited(toSeconds: 0.02).wait() == .passed, !deadline.hasPassed else {
        throw PlainFailure(.timeout, "the plug did not start")
      }
    }
  }

  func stop(_ process: any RemoteProcess) async throws {
    try await process.signal(SIGKILL)
    _ = try await process.wait(until: soon)
  }

  @Test(.enabled(if: hasPython, "needs python3"))
  func logsInToAShellyOfGeneration2() async throws {
    let directory = try Directory()
    let (process, port) = try await start(directory, ["digest"])
    var options: [String: Value] = [
      "host": "127.0.0.1", "port": .integer(Int64(port) ?? 0),
      "password-from": .text(try directory.write("secret", "p:w\n", mode: 0o600))
    ]
    let power = try makeSwitch(ShellySwitch.self, options)
    try await power.set(.on, until: soon)
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
    try await power.set(.off, until: soon)
    #expect(try await power.state(until: soon) == PowerReading(.off, .commanded))
    options["password-from"] = .text(try directory.write("wrong", "x", mode: 0o600))
    let wrong = try makeSwitch(ShellySwitch.self, options)
    let failure = await failure { try await wrong.set(.on, until: soon) }
    #expect(failure?.message.hasSuffix("answered 401") == true)
    #expect(failure?.kind == .configuration)
    try await stop(process)
  }

  @Test(.enabled(if: hasPython, "needs python3"))
  func switchesByATemplate() async throws {
    let directory = try Directory()
    let (process, port) = try await start(directory, [])
    let power = try template("http://127.0.0.1:\(port)")
    for state in [PowerState.on, .off, .on] {
      try await power.set(state, until: soon)
      #expect(try await power.state(until: soon) == PowerReading(state, .commanded))
    }
    try await stop(process)
  }

  @Test(
    .enabled(
      if: hasPython && access("/usr/bin/curl", X_OK) == 0 && access("/usr/bin/openssl", X_OK) == 0,
      "needs python3, curl and openssl"))
  func speaksHTTPSThroughCurl() async throws {
    let directory = try Directory()
    let certificate = directory.path + "/cert"
    let made = try await LocalConnection().execute(
      Command([
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
        "/CN=plug", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory.path + "/key",
        "-out", certificate
      ]), until: soon)
    #expect(made.isSuccess, "\(made.standardError.text)")
    let (process, port) = try await start(directory, ["tls", certificate, directory.path + "/key"])
    let power = try template("https://127.0.0.1:\(port)", certificate)
    try await power.set(.on, until: soon)
    #expect(try await power.state(until: soon).state == .on)
    // A device that nobody vouches for is not switched.
    let stranger = try template("https://127.0.0.1:\(port)", nil)
    let failure = await failure { try await stranger.set(.off, until: soon) }
    #expect(failure?.evidence.contains("certificate") == true, "\(String(describing: failure))")
    #expect(try await power.state(until: soon).state == .on)
    try await stop(process)
  }

  func template(_ base: String, _ certificate: String? = nil) throws -> any PowerSwitch {
    var options: [String: Value] = [
      "on": ["url": .text(base + "/on")], "off": ["url": .text(base + "/off")],
      "state": ["url": .text(base + "/state"), "json": "output"]
    ]
    options["certificate"] = certificate.map(Value.text)
    return try makeSwitch(HTTPSwitch.self, options)
  }

  @Test(.enabled(if: hasDaemon, "needs Debian's pdudaemon"))
  func switchesThroughPdudaemon() async throws {
    let directory = try Directory()
    let log = directory.path + "/log"
    let port = try freePort()
    let settings = try directory.write(
      "pdudaemon.conf",
      Value.map([
        "daemon": [
          "hostname": "127.0.0.1", "port": .integer(Int64(port)), "logging_level": "DEBUG",
          "listener": "http"
        ],
        "pdus": [
          "rack": [
            "driver": "localcmdline", "cmd_on": .text("echo on %s >> \(log)"),
            "cmd_off": .text("echo off %s >> \(log)")
          ]
        ], "aliases": ["rock": ["hostname": "rack", "port": 7]]
      ]).json)
    let process = try await LocalConnection().start(
      Command([Self.daemon, "--conf", settings, "--logfile", "-"]), until: soon)
    let address: [String: Value] = ["port": .integer(Int64(port))]
    let power = try makeSwitch(
      PDUDaemonSwitch.self, address.merging(["pdu": "rack", "outlet": "3"]) { $1 })
    try await untilItListens { try await power.set(.on, until: soon) }
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
    let alias = try makeSwitch(PDUDaemonSwitch.self, address.merging(["alias": "rock"]) { $1 })
    try await alias.cycle(offSeconds: 0, until: soon)
    #expect(SmallFile.text(log) == "on 3\noff 7\non 7")
    let unknown = try makeSwitch(
      PDUDaemonSwitch.self, address.merging(["pdu": "nowhere", "outlet": "1"]) { $1 })
    let failure = await failure { try await unknown.set(.on, until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("refuses 'hostname=nowhere&port=1'") == true)
    try await stop(process)
  }

  /// Repeats a call while nothing listens yet.
  func untilItListens(_ call: () async throws -> Void) async throws {
    let deadline = soon
    while true {
      do { return try await call() } catch let error as PowerFailure {
        guard error.hint.hasPrefix("nothing listens"), !deadline.hasPassed else { throw error }
        _ = deadline.limited(toSeconds: 0.05).wait()
      }
    }
  }

  /// A port that nobody had a moment ago.
  func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutableBytes(of: &address) { buffer -> Int32 in
      guard let base = buffer.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return -1 }
      return bind(descriptor, base, size) == 0 ? getsockname(descriptor, base, &size) : -1
    }
    guard status == 0 else { throw PlainFailure(.infrastructure, "no port: \(Errno.current)") }
    return UInt16(bigEndian: address.sin_port)
  }
}
