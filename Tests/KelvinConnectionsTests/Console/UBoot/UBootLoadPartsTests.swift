import KelvinSimulators
import Testing

@testable import KelvinConnections

/// The parts of loading files into U-Boot that need no board.
struct UBootLoadPartsTests {
  /// As Debian's U-Boot 2023.01 prints it on QEMU's virt machine, some lines left out.
  private static let bdinfo = """
    boot_params = 0x0000000000000000
    DRAM bank   = 0x0000000000000000
    -> start    = 0x0000000040000000
    -> size     = 0x0000000008000000
    flashstart  = 0x0000000000000000
    baudrate    = 115200 bps
    relocaddr   = 0x0000000047ef7000
    reloc off   = 0x0000000047ef7000
    lmb_dump_all:
     memory.cnt  = 0x1
     memory[0]\t[0x40000000-0x47ffffff], 0x08000000 bytes flags: 0
     reserved.cnt  = 0x2
     reserved[0]\t[0x45db2000-0x47ffffff], 0x0224e000 bytes flags: 0
     reserved[1]\t[0x46db2930-0x47ffffff], 0x0124d6d0 bytes flags: 0
    devicetree  = board
    sp start    = 0x0000000046db6da0

    """

  @Test(
    arguments: [
      (0x4000_0000, 1, nil), (0x4040_0000, 0x10_0000, nil), (0x45db_1fff, 1, nil),
      (0x45db_1fff, 2, "itself"), (0x47f0_0000, 1, "itself"), (0, 1, "no memory"),
      (0x3fff_ffff, 2, "no memory"), (0x47ff_ffff, 2, "ends before"), (0x4800_0000, 1, "no memory"),
      (UInt64.max, 2, "beyond"), (UInt64.max, 1, "no memory")
    ] as [(UInt64, UInt64, String?)])
  func knowsWhereAFileMayGo(address: UInt64, count: UInt64, why: String?) {
    let obstacle = UBootMemory(Array(Self.bdinfo.utf8)).obstacle(address, count: count)
    guard let why else {
      #expect(obstacle == nil)
      return
    }
    #expect(obstacle?.contains(why) == true, "\(obstacle ?? "none")")
  }

  @Test func knowsUBootsOwnPlaceWhereItIsNotListed() {
    let lines = Self.bdinfo.split(separator: "\n").filter { !$0.contains("reserved[") }
    let memory = UBootMemory(Array(lines.joined(separator: "\r\n").utf8))
    #expect(memory.reserved == [0x46da_6da0...0x47ff_ffff])
    #expect(memory.obstacle(0x4040_0000, count: 1) == nil)
    #expect(memory.obstacle(0x46d0_0000, count: 0x20_0000) != nil)
  }

  @Test func refusesNothingByWhatItCannotRead() {
    for text in ["", "Unknown command 'bdinfo' - try 'help'\n", "-> start = 0xzz\n-> size = 1\n"] {
      #expect(UBootMemory(Array(text.utf8)).obstacle(0, count: 1) == nil)
    }
    let sizes = "-> start = 0xffffffffffffffff\n-> size = 0xffffffffffffffff\nreserved[0] [0x2-0x1]"
    #expect(UBootMemory(Array(sizes.utf8)).banks.isEmpty)
  }

  @Test func survivesTruncatedAndDamagedLists() {
    let whole = Array(Self.bdinfo.utf8)
    var generator = SeededGenerator(seed: 7)
    for count in 0..<whole.count {
      // Less is known, and never that a place is free which is not within a bank that was read.
      let memory = UBootMemory(Array(whole[..<count]))
      if !memory.banks.isEmpty { #expect(memory.obstacle(0, count: 1) != nil) }
      var damaged = whole
      damaged[count] = UInt8.random(in: 0...255, using: &generator)
      let other = UBootMemory(damaged)
      #expect(other.banks.count <= 1 && other.reserved.count <= 2)
    }
  }

  @Test(
    arguments: [
      ("0x40400000", .number(0x4040_0000)), ("40400000", .number(0x4040_0000)),
      ("0", .number(0)), ("kernel_addr_r", .variable("kernel_addr_r")), ("fade", .number(0xfade)),
      ("0xffffffffffffffff", .number(.max)), ("", nil), ("0x", nil), ("0x1ffffffffffffffff", nil),
      ("+1", nil), ("-1", nil), ("a b", nil), ("9x", nil), ("a;reset", nil), ("$a", nil)
    ] as [(String, UBootAddress?)])
  func readsAddresses(text: String, address: UBootAddress?) {
    #expect(UBootAddress(text) == address)
  }

  // MARK: The meter

  private func block(_ number: UInt8, _ size: Int, fill: UInt8 = 2) -> [UInt8] {
    [size == 128 ? 1 : 2, number, ~number] + [UInt8](repeating: fill, count: size) + [24, 1]
  }

  @Test func countsWhatASenderHasBegunToSend() {
    var meter = YModemMeter()
    meter.append(block(0, 128))
    #expect(meter.sent == 0 && meter.blocks == 1)
    for number in 1...300 { meter.append(block(UInt8(truncatingIfNeeded: number), 1024)) }
    #expect(meter.sent == 300 * 1024 && meter.repeats == 0)
    meter.append(block(UInt8(truncatingIfNeeded: 300), 1024))
    #expect(meter.sent == 300 * 1024 && meter.repeats == 1)
    meter.append(block(UInt8(truncatingIfNeeded: 301), 128))
    #expect(meter.sent == 300 * 1024 + 128)
    // The end of the file, and the empty header behind it.
    meter.append([4])
    meter.append(block(0, 128, fill: 0))
    #expect(meter.sent == 300 * 1024 + 128 && meter.blocks == 302)
  }

  @Test func countsTheSameInPieces() {
    let whole = block(0, 128) + block(1, 1024) + block(1, 1024) + block(2, 128) + [4, 24, 24]
    var expected = YModemMeter()
    expected.append(whole)
    #expect(expected.sent == 1152 && expected.repeats == 1)
    for count in 0...whole.count {
      var meter = YModemMeter()
      meter.append(whole[..<count])
      #expect(meter.sent <= expected.sent)
      meter.append(whole[count...])
      #expect(meter.sent == expected.sent && meter.blocks == expected.blocks)
    }
  }
}
