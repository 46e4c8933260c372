import KelvinModel
import Testing

@testable import KelvinConnections
@testable import KelvinTargets

/// What starts a kernel at U-Boot's prompt.
@Suite struct UBootDeliveryTests {
  private static let loads = [
    "kernel": UBootLoad(address: 0x4040_0000, size: 0x1000, checksum: 0),
    "initrd": UBootLoad(address: 0x4400_0000, size: 0x885C00, checksum: 0),
    "device_tree": UBootLoad(address: 0x4300_0000, size: 0x100, checksum: 0)
  ]

  private func command(
    _ format: KernelImage.Format, _ keys: [String], _ options: [String: Value] = [:]
  ) -> String {
    let images = DeployImages(
      deployment: Deployment(), checksums: [:],
      kernel: KernelImage(format: format, machine: "", buildIDs: []))
    return UBootDelivery(images, board: "rock", options: options)
      .command(Self.loads.filter { keys.contains($0.key) })
  }

  @Test func goesByTheKernelsFormat() {
    #expect(command(.image, ["kernel"]) == "booti 40400000 - $fdtcontroladdr")
    #expect(
      command(.image, ["kernel", "initrd", "device_tree"])
        == "booti 40400000 44000000:885c00 43000000")
    #expect(
      command(.zImage, ["kernel"], ["own_tree": "fdt_addr"]) == "bootz 40400000 - $fdt_addr")
    #expect(command(.bzImage, ["kernel", "initrd"]) == "zboot 40400000 1000 44000000 885c00")
    #expect(command(.elf, ["kernel"]) == "bootelf 40400000")
    #expect(command(.image, ["kernel"], ["boot": "run mine"]) == "run mine")
  }

  @Test(arguments: [
    ("TFTP error: 'File not found' (1)\nNot retrying...\n", "TFTP error: 'File not found' (1)"),
    ("ARP Retry count exceeded; starting again\n", "ARP Retry count exceeded; starting again"),
    ("*** ERROR: `serverip' not set\n", "*** ERROR: `serverip' not set"), ("a\n\n b \n", "b"),
    ("", "")
  ])
  func theReasonIsUBootsOwn(text: String, reason: String) {
    #expect(UBootShell.reason(text) == reason)
  }
}
