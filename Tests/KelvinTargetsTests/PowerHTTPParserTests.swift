import KelvinConnections
import KelvinDevices
import KelvinModel
import Testing

@testable import KelvinTargets

/// The reader of HTTP answers, without a wire: what a hostile or broken device may send.
struct PowerHTTPParserTests {
  static let chunked = """
    HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n
    """
  static let answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    "HTTP/1.0 200\r\ncontent-length:7\r\n\r\n{\"a\":1}",
    "HTTP/1.1 200 OK\nContent-Length: 7\n\n{\"a\":1}",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}", chunked
  ]

  func parse(_ text: String, isEnd: Bool = false) throws -> HTTPResponse? {
    var parser = HTTPParser()
    return try parser.take(Array(text.utf8), isEnd: isEnd)
  }

  @Test(arguments: answers) func readsAnswersByteByByte(text: String) throws {
    var parser = HTTPParser()
    var response: HTTPResponse?
    for byte in text.utf8 where response == nil {
      response = try parser.take([byte])
    }
    #expect(response?.status == 200)
    #expect(response?.text == "{\"a\":1}")
  }

  @Test(arguments: answers) func refusesAnAnswerThatEndsEarly(text: String) throws {
    let bytes = Array(text.utf8)
    // The last line end after the last chunk may be missing: nothing depends on it.
    let whole = text == Self.chunked ? bytes.count - 3 : bytes.count
    for count in 0..<whole {
      var parser = HTTPParser()
      #expect(throws: HTTPParser.Mistake.self) { try parser.take(bytes[..<count], isEnd: true) }
    }
  }

  @Test(arguments: answers) func survivesCorruptionOfEachByte(text: String) {
    let bytes = Array(text.utf8)
    var refused = 0
    for index in bytes.indices {
      for value: UInt8 in [0, 10, 13, 32, 0x3a, 0x7f, 0xff] {
        var damaged = bytes
        damaged[index] = value
        var parser = HTTPParser()
        do {
          let response = try parser.take(damaged, isEnd: true)
          #expect((response?.body.count ?? 0) <= bytes.count)
        } catch { refused += 1 }
      }
    }
    #expect(refused > 0)
  }

  @Test func readsABodyThatEndsWithTheConnection() throws {
    #expect(try parse("HTTP/1.0 200 OK\r\n\r\nON") == nil)
    #expect(try parse("HTTP/1.0 200 OK\r\n\r\nON", isEnd: true)?.text == "ON")
    #expect(try parse("HTTP/1.1 204 No Content\r\n\r\n")?.body == [])
  }

  @Test(arguments: [
    "SSH-2.0-x\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"
  ])
  func refuses(text: String) {
    #expect(throws: HTTPParser.Mistake.self) { try parse(text) }
  }

  @Test func refusesWhatNeverEnds() throws {
    let heads = [
      "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 20_000),
      "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: HTTPResponse.bodyLimit + 1),
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + String(repeating: "1\r\nx\r\n", count: 120_000)
    ]
    for head in heads { #expect(throws: HTTPParser.Mistake.self) { try parse(head) } }
  }

  @Test func answersAChallengeAsTheStandardDoes() throws {
    // RFC 7616, section 3.9.1, with SHA-256.
    let value = try HTTPCredentials.digest(
      """
      Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, \
      nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", \
      opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
      """, user: "Mufasa", password: "Circle of Life", method: "GET", target: "/dir/index.html",
      clientNonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    #expect(
      value.contains(
        "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""))
    #expect(value.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""))
  }

  @Test(arguments: [
    "", "Basic realm=\"x\"", "Digest realm=\"x\"", "Digest realm=\"x\", nonce=\"y\"",
    "Digest realm=\"x\", nonce=\"y\", qop=\"auth\", algorithm=MD5",
    "Digest realm=\"x, nonce=\"y\", qop=\"auth-int\", algorithm=SHA-256"
  ])
  func refusesOtherChallenges(challenge: String) {
    #expect(throws: PlainFailure.self) {
      try HTTPCredentials.digest(
        challenge, user: "a", password: "b", method: "GET", target: "/", clientNonce: "c")
    }
  }

  @Test(arguments: [
    ("admin", "Circle of Life", "Basic YWRtaW46Q2lyY2xlIG9mIExpZmU="), ("a", "b", "Basic YTpi"),
    ("a", "bc", "Basic YTpiYw=="), ("", "", "Basic Og==")
  ])
  func writesBasicCredentials(user: String, password: String, value: String) {
    #expect(HTTPCredentials.basic(user, password) == value)
  }

  @Test func readsURLs() throws {
    let url = try HTTPURL("http://[fe80::1]:8080/a?b=c#d")
    #expect(url.host == "fe80::1" && url.port == 8080 && url.target == "/a?b=c")
    #expect(url.authority == "[fe80::1]:8080")
    #expect(url.shown == "http://[fe80::1]:8080/a")
    #expect(try HTTPURL("https://plug?x=1").target == "/?x=1")
    #expect(try HTTPURL("https://plug").port == 443)
  }

  @Test func tellsStatesFromAnswers() throws {
    let json = try StateAnswer(["json": "relays.1.ison"])
    #expect(json.isOn(#"{"relays":[{"ison":true},{"ison":false}]}"#) == false)
    #expect(json.isOn(#"{"relays":[{"ison":true},{"ison":1}]}"#) == true)
    #expect(json.isOn(#"{"relays":[{"ison":true}]}"#) == nil)
    #expect(json.isOn("{\"relays\"") == nil)
    let text = try StateAnswer(["on": ["Outlet: ON"], "off": ["Outlet: OFF"]])
    #expect(text.isOn("<b>outlet: on</b>") == true)
    #expect(text.isOn("<b>outlet: off</b>") == false)
    #expect(text.isOn("outlet: on outlet: off") == nil)
    #expect(text.isOn("") == nil)
  }

  @Test func showsOutputWithoutControlCharacters() {
    #expect(Excerpt.of(Array("a\u{1b}[31m\nb".utf8)) == "a.[31m.b")
    #expect(Excerpt.of([0xff, 0x41]) == ".A")
    #expect(Excerpt.of([UInt8](repeating: 0x41, count: 500)).count == 81)
    #expect(Excerpt.hex([0, 0xa0]) == "00 a0")
  }
}
