public import KelvinModel

/// A kernel's image on this host: for which machines it is, and by what it is known once it runs.
///
/// Sources: Linux Documentation/arch/x86/boot.rst (bzImage: `HdrS` at 0x202, kernel_version at 0x20E),
/// Documentation/arch/arm64/booting.rst (Image: `ARM\x64` at 56), Documentation/arch/riscv/boot-image-header.rst
/// (`RSC\x05` at 56), arch/arm/boot/compressed/head.S (zImage: 0x016F2818 at 0x24), elf(5).
public struct KernelImage: Sendable, Hashable {
  public enum Format: String, Sendable, Hashable {
    case bzImage
    case image = "Image"
    case zImage
    case elf = "ELF"
  }

  public var format: Format
  /// As `uname -m` prints it: `x86_64`, `aarch64`, `armv7l`, `riscv64`.
  public var machine: String
  /// The kernel's own is among them; lower-case hex. Empty where none can be read: the image is packed.
  public var buildIDs: [String]
  /// `uname -r` of it; nil where the image does not say.
  public var release: String?
  /// `uname -v` of it, as far as the image says.
  public var version: String?

  /// Bytes of a raw image that are looked through for notes.
  private static let limit = 256 << 20

  /// Reads what an image says of itself.
  ///
  /// - Throws: what is wrong with the file.
  public static func read(_ path: String) throws(Deployment.Refusal) -> KernelImage {
    let file = try ImageReader(path)
    let head = file.bytes(at: 0, count: 4096)
    if head.starts(with: [0x7F, 0x45, 0x4C, 0x46]) { return try elf(file, head) }
    if head.number(at: 0x202, 4) == 0x5372_6448 { return try bzImage(file, head) }
    if head.number(at: 56, 4) == 0x644D_5241 { return try raw(file, "aarch64") }
    if head.number(at: 56, 4) == 0x0543_5352 { return try raw(file, "riscv64") }
    if head.number(at: 0x24, 4) == 0x016F_2818 {
      return KernelImage(format: .zImage, machine: "armv7l", buildIDs: [])
    }
    throw Deployment.Refusal(
      message: "\(path): is no kernel's image\(KernelImage.guess(head))",
      hint: "a bzImage, an arm64 or riscv Image, a zImage or a vmlinux is")
  }

  /// Whether a machine, as `uname -m` prints it, may run this kernel.
  public func runs(on machine: String) -> Bool {
    if machine == self.machine { return true }
    // A 64-bit machine under a 32-bit kernel says that it is one of 32 bits.
    let families = [["x86_64", "i386", "i486", "i586", "i686"], ["aarch64", "arm64", "armv8l"]]
    if families.contains(where: { $0.contains(machine) && $0.contains(self.machine) }) {
      return true
    }
    return self.machine == "armv7l" && machine.hasPrefix("arm")
  }

  /// What else it seems to be.
  private static func guess(_ head: [UInt8]) -> String {
    let known: [([UInt8], String)] = [
      ([0x1F, 0x8B], "it is packed by gzip: unpack it"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "it is packed by xz: unpack it"),
      ([0x28, 0xB5, 0x2F, 0xFD], "it is packed by zstd: unpack it"),
      ([0xD0, 0x0D, 0xFE, 0xED], "it is a device tree, or a FIT image"),
      (Array("ANDROID!".utf8), "it is an Android boot image"),
      ([0x27, 0x05, 0x19, 0x56], "it is a uImage")
    ]
    return known.first { head.starts(with: $0.0) }.map { "; \($0.1)" } ?? ""
  }

  // MARK: formats

  private static func bzImage(
    _ file: ImageReader, _ head: [UInt8]
  ) throws(Deployment.Refusal) -> KernelImage {
    guard let pointer = head.number(at: 0x20E, 2), pointer > 0,
      let setup = head.number(at: 0x1F1, 1)
    else { throw damaged(file, "its header names no version") }
    let sectors = setup == 0 ? 4 : Int(setup)
    guard file.size > (sectors + 1) * 512 else { throw damaged(file, "it ends in its header") }
    // "6.1.0-56-amd64 (builder) #1 SMP ... (date)"
    let bytes = file.bytes(at: Int(pointer) + 0x200, count: 512)
    let text = bytes.text(at: 0, limit: 512)
    var image = KernelImage(format: .bzImage, machine: "x86_64", buildIDs: [])
    // Bit 0 of xloadflags: a 64-bit kernel.
    if let flags = head.number(at: 0x236, 2), flags & 1 == 0 { image.machine = "i686" }
    image.release = text.split(separator: " ").first.map(String.init)
    image.version = text.firstIndex(of: "#").map { String(text[$0...]) }
    return image
  }

  private static func raw(
    _ file: ImageReader, _ machine: String
  ) throws(Deployment.Refusal) -> KernelImage {
    let bytes = file.bytes(at: 0, count: min(file.size, limit))
    guard let size = bytes.number(at: 16, 8), size == 0 || size >= 4096 else {
      throw damaged(file, "its header's size is none")
    }
    return KernelImage(
      format: .image, machine: machine, buildIDs: BuildNotes.buildIDs(anywhereIn: bytes))
  }

  private static func elf(
    _ file: ImageReader, _ head: [UInt8]
  ) throws(Deployment.Refusal) -> KernelImage {
    guard head.number(at: 4, 1) == 2, head.number(at: 5, 1) == 1,
      let machine = head.number(at: 18, 2), let start = head.number(at: 32, 8),
      let size = head.number(at: 54, 2), let count = head.number(at: 56, 2),
      size >= 56, count > 0, start < file.size
    else { throw damaged(file, "it is no 64-bit little-endian ELF with segments") }
    let names: [UInt64: String] = [62: "x86_64", 183: "aarch64", 243: "riscv64"]
    guard let name = names[machine] else {
      throw Deployment.Refusal(
        message: "\(file.path): is for ELF machine \(machine), which is not known here", hint: "")
    }
    var image = KernelImage(format: .elf, machine: name, buildIDs: [])
    let table = file.bytes(at: Int(start), count: Int(size * count))
    for index in 0..<Int(count) {
      let entry = index * Int(size)
      // PT_NOTE
      guard table.number(at: entry, 4) == 4, let offset = table.number(at: entry + 8, 8),
        let length = table.number(at: entry + 32, 8), length < 1 << 20, offset < file.size
      else { continue }
      let notes = file.bytes(at: Int(offset), count: Int(length))
      if let id = BuildNotes.buildID(inNotes: notes) { image.buildIDs.append(id) }
    }
    return image
  }

  private static func damaged(_ file: ImageReader, _ what: String) -> Deployment.Refusal {
    Deployment.Refusal(message: "\(file.path): is damaged: \(what)", hint: "")
  }
}
