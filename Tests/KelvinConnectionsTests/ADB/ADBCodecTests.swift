import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// The decoders, on documented bytes, split, cut and damaged.
@Suite struct ADBCodecTests {
  @Test func readsListings() throws {
    let text = """
      127.0.0.1:5599         device product:lab model:LabBoard device:labdev transport_id:1
      0123456789ABCDEF       no permissions (user in plugdev group; are your udev rules wrong?); \
      see [http://developer.android.com/tools/device.html] usb:1-1 transport_id:2
      0123456789ABCDEF       unauthorized usb:3-1.4 transport_id:3
      (no serial number)     offline usb:1-2 transport_id:18446744073709551615
      short\toffline
      """
    let devices = ADBDeviceRecord.list(text)
    try #require(devices.count == 5)
    #expect(devices[0].serial == "127.0.0.1:5599")
    #expect(devices[0].state == .device)
    #expect(devices[0].model == "LabBoard")
    #expect(devices[0].device == "labdev")
    #expect(devices[0].transportID == 1)
    #expect(devices[1].state == .noPermissions)
    #expect(devices[1].path == "usb:1-1")
    #expect(devices[2].state == .unauthorized)
    #expect(devices[2].path == "usb:3-1.4")
    #expect(devices[3].serial.isEmpty)
    #expect(devices[3].state == .offline)
    #expect(devices[3].transportID == .max)
    #expect(devices[4].serial == "short")
    #expect(devices[4].state == .offline)
  }

  @Test(arguments: ["", "\n", " ", "x", "x ", "\t", "transport_id:1", "(no serial number)", "a b:c"]
  )
  func readsDamagedListingsWithoutGivingRecordsWithoutAState(text: String) {
    for device in ADBDeviceRecord.list(text) { #expect(device.state != .other("")) }
  }

  /// What the real adbd sends for a command that writes "o\n" and "e\n" and exits with 300.
  static let shell: [UInt8] = [
    1, 2, 0, 0, 0, 0x6F, 10, 2, 2, 0, 0, 0, 0x65, 10, 3, 1, 0, 0, 0, 0x2C
  ]

  @Test func readsShellPacketsHoweverTheyAreSplit() throws {
    for first in 0...Self.shell.count {
      for second in first...Self.shell.count {
        var decoder = ADBShellDecoder()
        var (output, error): ([UInt8], [UInt8]) = ([], [])
        for part in [
          Self.shell[..<first], Self.shell[first..<second], Self.shell[second...]
        ] {
          try decoder.take(part, output: &output, error: &error)
        }
        #expect(output == [0x6F, 10])
        #expect(error == [0x65, 10])
        #expect(decoder.status == 0x2C)
      }
    }
  }

  @Test func aCutShellHasNoStatus() throws {
    for count in 0..<Self.shell.count {
      var decoder = ADBShellDecoder()
      var (output, error): ([UInt8], [UInt8]) = ([], [])
      try decoder.take(Self.shell[..<count], output: &output, error: &error)
      #expect(decoder.status == nil)
    }
  }

  @Test func damagedShellPacketsNeverGiveMoreThanCame() {
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<3000 {
      var bytes = Self.shell + Self.shell
      for _ in 0...Int.random(in: 0..<4, using: &generator) {
        bytes[Int.random(in: bytes.indices, using: &generator)] =
          UInt8.random(in: 0...255, using: &generator)
      }
      var decoder = ADBShellDecoder()
      var (output, error): ([UInt8], [UInt8]) = ([], [])
      try? decoder.take(bytes[...], output: &output, error: &error)
      #expect(output.count + error.count <= bytes.count)
    }
  }

  @Test(
    arguments: [
      [9, 0, 0, 0, 0], [1, 0xFF, 0xFF, 0xFF, 0xFF], [3, 0, 0, 0, 0], [3, 2, 0, 0, 0]
    ] as [[UInt8]])
  func refusesImpossibleShellPackets(bytes: [UInt8]) {
    var decoder = ADBShellDecoder()
    var (output, error): ([UInt8], [UInt8]) = ([], [])
    #expect(throws: ADBShellDecoder.Mistake.self) {
      try decoder.take(bytes[...], output: &output, error: &error)
    }
  }

  @Test func writesShellPackets() {
    #expect(ADBShellPacket.input([65]).encoded == [0, 1, 0, 0, 0, 65])
    #expect(ADBShellPacket.closeInput.encoded == [4, 0, 0, 0, 0])
    #expect(
      ADBShellPacket.windowSize(rows: 24, columns: 80).encoded
        == [5, 10, 0, 0, 0] + Array("24x80,0x0\0".utf8))
  }

  @Test func readsMessagesAndRefusesDamagedOnes() throws {
    // CNXN with version 0x01000001, 4096 bytes, and "host::" without its check.
    let bytes: [UInt8] =
      Array("CNXN".utf8) + [1, 0, 0, 1, 0, 16, 0, 0, 6, 0, 0, 0, 0x32, 2, 0, 0, 0xBC, 0xB1, 0xA7]
      + [0xB1]
    let header = try ADBMessage.header(bytes)
    #expect(header.command == .connect)
    #expect(header.argument0 == 0x0100_0001)
    #expect(header.argument1 == 4096)
    #expect(header.length == 6)
    let message = ADBMessage(.connect, 0x0100_0001, 4096, Array("host::".utf8))
    #expect(message.encoded == bytes + Array("host::".utf8))
    for index in [0, 1, 2, 3, 20, 21, 22, 23] {
      var damaged = bytes
      damaged[index] ^= 1
      #expect(throws: ADBMessage.Mistake.self) { try ADBMessage.header(damaged) }
    }
    var long = bytes
    long[15] = 0x7F
    #expect(throws: ADBMessage.Mistake.self) { try ADBMessage.header(long) }
  }

  @Test func readsBanners() {
    let banner = ADBBanner(
      Array("device::ro.product.name=x;ro.product.model=y;features=a,b\0junk".utf8))
    #expect(banner.kind == "device")
    #expect(banner.properties["ro.product.model"] == "y")
    #expect(banner.features == ["a", "b"])
    for text in ["", ":", "::", "device::;=;features=", "\0"] {
      #expect(ADBBanner(Array(text.utf8)).features.isEmpty)
    }
  }

  @Test(arguments: ["0000", "00ff", "FFFF", "", "12", "g000", "+001", " 001", "-001"])
  func readsLengths(text: String) {
    let isHex = text.count == 4 && text.allSatisfy(\.isHexDigit)
    #expect(ADBText.length(Array(text.utf8)) == (isHex ? Int(text, radix: 16) : nil))
  }

  @Test(
    arguments: [
      ("127.0.0.1:5037", "127.0.0.1", 5037), ("lab", "lab", 5037), ("[::1]:99", "::1", 99),
      ("[::1]", "::1", 5037), ("lab:0", nil, nil), (":1", nil, nil), ("lab:x", nil, nil)
    ] as [(String, String?, UInt16?)])
  func readsServerAddresses(text: String, host: String?, port: UInt16?) {
    let server = ADBServer(text)
    #expect(server?.host == host)
    #expect(server?.port == port)
  }
}
