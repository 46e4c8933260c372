import Foundation
import KelvinAgenda
import KelvinModel
import Testing

/// The profiles that come with Kelvin.
@Suite struct BenchHardwareTests {
  private static let hardware = HardwareProfiles(roots: [SourceTree.path + "/hardware"])

  @Test func everyProfileIsRight() {
    let (boards, boardMistakes) = BenchHardwareTests.hardware.boards()
    let (meters, meterMistakes) = BenchHardwareTests.hardware.meters()
    #expect((boardMistakes + meterMistakes).map(\.description) == [])
    #expect(boards.map(\.name) == BenchHardwareTests.hardware.names(.board))
    #expect(meters.map(\.name) == BenchHardwareTests.hardware.names(.meter))
  }

  @Test(arguments: [
    "generic-linux", "generic-android", "raspberry-pi-4", "raspberry-pi-5", "rock-5b",
    "beaglebone-black", "juno", "virtual-x86", "virtual-arm", "virtual-uboot"
  ])
  func theBoardIsThere(name: String) throws {
    let board = try BenchHardwareTests.hardware.board(named: name)
    #expect(!board.title.isEmpty)
    if board.platform == .linux { #expect(board.login?.prompt != nil && board.shellPrompt != nil) }
    // Only what is generic may claim to need no proof.
    #expect(board.verified != nil || name.hasPrefix("generic-"))
  }

  @Test func theVirtualBoardsAreAsBuilt() throws {
    let x86 = try BenchHardwareTests.hardware.board(named: "virtual-x86")
    #expect(x86.architecture == "x86_64" && x86.consoleBaud == 115_200)
    #expect(x86.clusters.map(\.cpus) == [[0], [1]])
    #expect(x86.cluster(of: 0)?.frequenciesInHertz == [6e8, 1e9, 1.4e9])
    #expect(x86.cluster(of: 1)?.frequenciesInHertz == [8e8, 1.5e9, 2e9, 2.4e9])
    let arm = try BenchHardwareTests.hardware.board(named: "virtual-arm")
    #expect(arm.clusters.map(\.cpus) == [[0, 1], [2, 3]])
    #expect(arm.clusters.map(\.kind) == ["cortex-a57", "cortex-a57"])
    #expect(arm.cluster(of: 3)?.frequenciesInHertz == [8e8, 1.5e9, 2.4e9])
    let boot = try BenchHardwareTests.hardware.board(named: "virtual-uboot")
    #expect(boot.platform == .bootLoader && boot.bootLoader?.stopWith == " ")
  }

  @Test func noUSBIdentityIsClaimedByTwoMeters() {
    var owners: [USBDeviceID: String] = [:]
    for meter in BenchHardwareTests.hardware.meters().profiles {
      for model in meter.usb {
        #expect(owners[model.id] == nil, "\(model.id): \(meter.name) and \(owners[model.id] ?? "")")
        owners[model.id] = meter.name
      }
    }
    #expect(owners[USBDeviceID(vendor: 0x1915, product: 0xc00a)] == "ppk2")
    #expect(owners[USBDeviceID(vendor: 0x2ab9, product: 0x0001)] == "monsoon")
    #expect(owners[USBDeviceID(vendor: 0x2e3c, product: 0x0049)] == "fnirsi")
  }

  @Test func eachMetersDriverTakesAnEntryWithoutConflict() {
    let meters = BenchHardwareTests.hardware.meters().profiles
    #expect(Set(meters.map(\.driver)).count == meters.count)
    for meter in meters {
      let names = meter.declaration.options.map(\.name)
      #expect(Set(names).count == names.count)
      #expect(!names.contains("driver"))
      #expect(meter.verified != nil)
    }
  }

  @Test func everyFileNamesItsSource() throws {
    for kind in HardwareProfiles.Kind.allCases {
      for name in BenchHardwareTests.hardware.names(kind) {
        let text = try String(
          contentsOfFile: "\(SourceTree.path)/hardware/\(kind.rawValue)s/\(name).yaml",
          encoding: .utf8)
        #expect(text.hasPrefix("# "), "\(name)")
      }
    }
  }
}
