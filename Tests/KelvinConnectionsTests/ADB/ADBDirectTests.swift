import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Devices without a server: keys, and many streams over one link.
@Suite(.timeLimit(.minutes(2)))
struct ADBDirectTests {
  @Test func provesItselfByAKeyThatIsMadeOnce() async throws {
    var settings = SimulatedADBD.Settings()
    settings.isSecure = true
    try await ReachedADB.with(.direct, settings) { reached in
      #expect(try reached.device.features(until: adbSoon()).contains("shell_v2"))
      var status = stat()
      #expect(stat(reached.keys.path + "/adbkey", &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      let key = try reached.keys.read("adbkey")
      let line = String(decoding: try reached.keys.read("adbkey.pub"), as: UTF8.self)
      #expect(line.split(separator: " ")[0].count == 700)
      #expect(!line.hasSuffix("\n"))
      // Known now: the signature alone opens the door, and the key stays.
      reached.daemon.setAcceptsKeys(false)
      let second = ADBDirectDevice(
        host: "127.0.0.1", port: reached.daemon.port,
        keys: ADBKeyStore(directory: reached.keys.path))
      #expect(try second.features(until: adbSoon()).contains("shell_v2"))
      second.close()
      #expect(try reached.keys.read("adbkey") == key)
    }
  }

  @Test func anUnknownKeyWaitsForTheUser() async throws {
    var settings = SimulatedADBD.Settings()
    settings.isSecure = true
    settings.acceptsKeys = false
    try await ReachedADB.with(.direct, settings) { reached in
      let failure = adbFailure { try reached.device.features(until: adbSoon(3)) }
      #expect(failure?.code == .unreachable(.notAdmitted))
      #expect(failure?.hint.contains("\(reached.keys.path)/adbkey.pub") == true)
    }
  }

  @Test(.enabled(if: hasADB, "needs adb")) func adbAndKelvinUseOneKey() async throws {
    var settings = SimulatedADBD.Settings()
    settings.isSecure = true
    let daemon = try SimulatedADBD(settings)
    let adb = try RealADB()
    _ = try adb.connect(daemon.port)
    daemon.setAcceptsKeys(false)
    let own = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port,
      keys: ADBKeyStore(directory: adb.home.path + "/.android"))
    #expect(try own.features(until: adbSoon()).contains("shell_v2"))
    // adb writes the same line for it, but for the comment.
    let store = ADBKeyStore(directory: adb.home.path + "/.android")
    let line = try store.publicLine(of: try #require(try store.keys().first))
    let written = String(decoding: try adb.home.read(".android/adbkey.pub"), as: UTF8.self)
    #expect(line.split(separator: " ")[0] == written.split(separator: " ")[0])
    own.close()
    // And the other way round: adb takes a key of Kelvin's.
    let home = try Scratch()
    _ = try ADBKeyStore(directory: home.path + "/.android").keys()
    let key = try home.read(".android/adbkey")
    daemon.setAcceptsKeys(true)
    let second = try RealADB(home: home)
    _ = try second.connect(daemon.port)
    #expect(try home.read(".android/adbkey") == key)
    daemon.stop()
    adb.stop()
    second.stop()
  }

  @Test(arguments: ["", "garbage", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
  )
  func aBrokenKeyIsSaidToBeBroken(text: String) throws {
    let home = try Scratch()
    try home.write("adbkey", Array(text.utf8))
    let failure = adbFailure { try ADBKeyStore(directory: home.path).keys() }
    #expect(failure?.message.hasPrefix(home.path + "/adbkey") == true)
    #expect(try home.read("adbkey") == Array(text.utf8))
  }

  @Test func vendorKeysAreTriedToo() throws {
    let (home, vendor) = (try Scratch(), try Scratch())
    let made = try ADBKeyStore(directory: vendor.path).keys()
    rename(vendor.path + "/adbkey", vendor.path + "/lab.adb_key")
    let store = ADBKeyStore(directory: home.path, vendorKeys: "/nowhere:" + vendor.path)
    let keys = try store.keys()
    #expect(keys.count == 2)
    #expect(try keys.last?.publicText() == made[0].publicText())
  }

  @Test func aStreamThatNobodyReadsHoldsUpNoOther() async throws {
    try await ReachedADB.with(.direct) { reached in
      let transport = ADBTransport(reached.device)
      let flood = try transport.open(until: adbSoon())
      try flood.send(all: Array("exec cat /dev/zero\n".utf8), until: adbSoon())
      #expect(flood.wait(toSend: false, until: adbSoon()) == .ready)
      let idle = try transport.open(until: adbSoon())
      for number in 0..<50 {
        #expect(
          try adbShell(reached.device, "echo \(number)").output == Array("\(number)\n".utf8))
      }
      flood.abandon()
      try idle.send(all: Array("echo alive\n".utf8), until: adbSoon())
      try idle.closeInput()
      #expect(try adbCollect(idle).output == Array("alive\n".utf8))
      #expect(reached.daemon.connections == 1)
    }
  }

  @Test func whatIsNoAdbdIsSaidToBeNone() async throws {
    let listener = try WireListener.tcp()
    let thread = try NamedThread("no-adbd") {
      guard let wire = try? listener.accept() else { return }
      _ = try? wire.write(Array("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n".utf8))
      _ = try? wire.read(count: 100_000, until: adbSoon(3))
    }
    let home = try Scratch()
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: listener.port, keys: ADBKeyStore(directory: home.path))
    let failure = adbFailure { try device.features(until: adbSoon(5)) }
    #expect(failure?.code == .badReply)
    #expect(failure?.hint.contains("something else") == true)
    device.close()
    thread.join()
  }

  @Test func aDeviceThatWantsTLSIsSentToTheServer() async throws {
    let listener = try WireListener.tcp()
    let thread = try NamedThread("tls-adbd") {
      guard let wire = try? listener.accept() else { return }
      _ = try? wire.read(count: 24)
      _ = try? wire.write(
        Array("STLS".utf8) + [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
          + [0xAC, 0xAB, 0xB3, 0xAC])
      _ = try? wire.read(count: 100_000, until: adbSoon(3))
    }
    let home = try Scratch()
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: listener.port, keys: ADBKeyStore(directory: home.path))
    let failure = adbFailure { try device.features(until: adbSoon(5)) }
    #expect(failure?.code == .unreachable(.incompatible))
    #expect(failure?.hint.contains("adb pair") == true)
    device.close()
    thread.join()
  }

  @Test func aDeviceThatSaysNothingIsTimedOut() async throws {
    var settings = SimulatedADBD.Settings()
    settings.fault = ADBDFault(.silent)
    try await ReachedADB.with(.direct, settings) { reached in
      let failure = adbFailure { try reached.device.features(until: adbSoon(0.5)) }
      #expect(failure?.code == .timedOut)
    }
  }
}
