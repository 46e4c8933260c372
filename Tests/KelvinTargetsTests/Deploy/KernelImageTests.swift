import Foundation
import KelvinModel
import Testing

@testable import KelvinTargets

/// By what a kernel's image is known, and what is none.
@Suite struct KernelImageTests {
  let directory: Directory

  init() throws { directory = try Directory() }

  private func read(_ bytes: [UInt8]) throws -> KernelImage {
    try KernelImage.read(try directory.write("image", bytes))
  }

  private static let version =
    "6.1.0-56-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.192-2 (2026-11-16)"
  private static let own = ImageBytes.note("GNU", 3, ImageBytes.id)
  private static let vdso = ImageBytes.note("GNU", 3, [UInt8](repeating: 0xAB, count: 20))

  @Test func aBzImageSaysItsVersion() throws {
    let image = try read(ImageBytes.bzImage(Self.version))
    #expect(image.format == .bzImage && image.machine == "x86_64")
    #expect(image.release == "6.1.0-56-amd64")
    #expect(image.version == "#1 SMP Debian 6.1.192-2 (2026-11-16)")
    #expect(image.buildIDs == [])
    #expect(try read(ImageBytes.bzImage(Self.version, is64Bit: false)).machine == "i686")
  }

  @Test func aRawImageHasItsBuildIDAmongOthers() throws {
    let abab = String(repeating: "ab", count: 20)
    let image = try read(ImageBytes.image(notes: [Self.vdso, [9, 9, 9, 9], Self.own]))
    #expect(image.format == .image && image.machine == "aarch64")
    #expect(image.buildIDs == [abab, ImageBytes.hex])
    #expect(try read(ImageBytes.image("RSC\u{05}", notes: [Self.own])).machine == "riscv64")
  }

  @Test(arguments: [(62, "x86_64"), (183, "aarch64"), (243, "riscv64")])
  func anELFHasItInItsNotes(machine: UInt8, name: String) throws {
    let xen = ImageBytes.note("Xen", 6, Array("linux\0".utf8))
    let image = try read(ImageBytes.elf(machine: machine, notes: xen + Self.own))
    #expect(image.machine == name && image.buildIDs == [ImageBytes.hex])
  }

  @Test(arguments: [
    (Array("#!/bin/sh\n".utf8), "is no kernel's image"), ([0x1F, 0x8B, 8, 0], "packed by gzip"),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "packed by xz"), (ImageBytes.deviceTree, "device tree"),
    (Array("ANDROID!".utf8), "Android boot image"), ([], "is empty"),
    (ImageBytes.elf(machine: 40, notes: []), "ELF machine 40"),
    ([0x7F, 0x45, 0x4C, 0x46, 1, 1], "no 64-bit little-endian ELF"),
    (Array(ImageBytes.bzImage("6.1.0 #1").prefix(1024)), "it ends in its header")
  ])
  func whatIsNoneIsRefused(bytes: [UInt8], message: String) throws {
    let path = try directory.write("image", bytes)
    #expect {
      try KernelImage.read(path)
    } throws: {
      ($0 as? Deployment.Refusal)?.message.contains(message) == true
    }
  }

  @Test func everyCutIsReadOrRefused() throws {
    let whole = ImageBytes.elf(machine: 62, notes: Self.own)
    for count in 0..<whole.count {
      let image = try? read(Array(whole.prefix(count)))
      #expect(image?.buildIDs ?? [] == [], "\(count)")
      // What is damaged is nobody's.
      #expect(BuildNotes.buildID(inNotes: Array(Self.own.prefix(min(count, 35)))) == nil)
    }
    for index in Self.own.indices {
      var notes = Self.own
      notes[index] ^= 0x80
      #expect(BuildNotes.buildID(inNotes: notes) != ImageBytes.hex, "\(index)")
    }
  }

  @Test(arguments: [
    ("x86_64", "x86_64", true), ("x86_64", "i686", true), ("x86_64", "aarch64", false),
    ("aarch64", "armv8l", true), ("aarch64", "x86_64", false), ("armv7l", "armv7l", true),
    ("armv7l", "armv6l", true), ("armv7l", "aarch64", false), ("riscv64", "aarch64", false)
  ])
  func machinesRunTheirOwn(image: String, machine: String, runs: Bool) {
    #expect(KernelImage(format: .elf, machine: image, buildIDs: []).runs(on: machine) == runs)
  }

  private static let running = RunningKernel(
    bootID: "b", buildID: ImageBytes.hex, release: "6.1.0", version: "#1 SMP Debian")

  @Test(arguments: [
    (KernelImage(format: .elf, machine: "", buildIDs: [ImageBytes.hex]), nil, nil),
    (
      KernelImage(format: .elf, machine: "", buildIDs: ["aa"]), nil,
      "build id aa is wanted, and \(ImageBytes.hex) runs"
    ),
    (KernelImage(format: .image, machine: "", buildIDs: ["aa", ImageBytes.hex]), nil, nil),
    (nil, ImageBytes.hex, nil), (nil, "aa", "build id aa is wanted"), (nil, nil, nil),
    // What somebody says outdoes the image.
    (KernelImage(format: .elf, machine: "", buildIDs: [ImageBytes.hex]), "aa", "aa is wanted"),
    (
      KernelImage(
        format: .bzImage, machine: "", buildIDs: [], release: "6.1.0", version: "#1 SMP Debian"),
      nil, nil
    ),
    (
      KernelImage(
        format: .bzImage, machine: "", buildIDs: [], release: "6.2.0", version: "#1 SMP Debian"),
      nil, "6.2.0 is wanted, and 6.1.0 runs"
    ),
    (
      KernelImage(
        format: .bzImage, machine: "", buildIDs: [], release: "6.1.0", version: "#2 SMP Debian"),
      nil, "'6.1.0 #2 SMP Debian' is wanted, and '6.1.0 #1 SMP Debian' runs"
    ),
    (KernelImage(format: .zImage, machine: "", buildIDs: []), nil, "neither its image nor")
  ])
  func aRunningKernelIsComparedWithIt(image: KernelImage?, buildID: String?, difference: String?) {
    let found = Self.running.difference(from: image, buildID: buildID)
    if let difference {
      #expect(found?.contains(difference) == true, "\(found ?? "no difference")")
    } else {
      #expect(found == nil)
    }
  }

  @Test func aKernelThatShowsNoneIsNotTheOneThatIsWanted() {
    var running = Self.running
    running.buildID = nil
    #expect(running.difference(from: nil, buildID: "aa")?.contains("shows none") == true)
  }
}

/// Files of a deployment, looked at before any device is.
@Suite struct DeployImagesTests {
  let directory: Directory

  init() throws { directory = try Directory() }

  @Test func goodFilesHaveAnIdentity() throws {
    let kernel = try directory.write("kernel", ImageBytes.bzImage("6.1.0 (x) #1 SMP"))
    let initrd = try directory.write("initrd", [1, 2, 3])
    var deployment = Deployment(way: .kexec, kernel: kernel, initrd: initrd)
    let first = try DeployImages.read(deployment)
    #expect(Set(first.checksums.keys) == ["kernel", "initrd"] && first.kernel?.release == "6.1.0")
    deployment.commandLine = "quiet"
    let second = try DeployImages.read(deployment)
    #expect(second.identity != first.identity)
    _ = try directory.write("initrd", [1, 2, 4])
    let third = try DeployImages.read(deployment)
    #expect(third.identity != second.identity)
    // Another name with the same content is the same.
    deployment.initrd = try directory.write("other", [1, 2, 4])
    #expect(try DeployImages.read(deployment).identity == third.identity)
  }

  @Test func mistakesAreToldOfTheirKeys() throws {
    let script = try directory.write("script", "#!/bin/sh\n")
    let kernel = try directory.write("kernel", ImageBytes.bzImage("6.1.0 (x) #1 SMP"))
    let zImage = try directory.write(
      "z", [UInt8](repeating: 0, count: 0x24) + ImageBytes.word(0x016F_2818))
    func problems(_ deployment: Deployment) -> [String] {
      DeployImages.problems(with: deployment).map { "\($0.key): \($0.message)" }
    }
    let gone = directory.path + "/gone"
    #expect(problems(Deployment(kernel: gone)) == ["kernel: \(gone): No such file or directory"])
    #expect(
      problems(Deployment(root: directory.path)).first?.hasSuffix("is no regular file") == true)
    #expect(problems(Deployment(way: .kexec, kernel: script)).first?.contains("no kernel") == true)
    #expect(
      problems(Deployment(kernel: kernel, deviceTree: script)).first?.contains("device tree blob")
        == true)
    #expect(problems(Deployment(kernel: kernel)) == [])
    // What shows nothing is not verified by itself.
    #expect(problems(Deployment(kernel: zImage)).first?.contains("build id") == true)
    #expect(problems(Deployment(kernel: zImage, verify: "true")) == [])
    // A boot loader's own form, where something else tells that it runs.
    #expect(problems(Deployment(way: .fastboot, kernel: script, buildID: "0011aabb")) == [])
    #expect(problems(Deployment(way: .kexec, kernel: script, buildID: "0011aabb")).count == 1)
  }
}
