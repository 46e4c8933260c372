package import KelvinConnections
package import KelvinModel

/// What is done at U-Boot's prompt to start a kernel: files into memory, over network or console, each
/// confirmed by U-Boot's own `crc32`, then one command.
package struct UBootDelivery: Sendable {
  let images: DeployImages
  let board: String
  /// Of the bench file's `deploy: {uboot: {...}}`.
  let options: [String: Value]

  /// Describes a delivery.
  package init(_ images: DeployImages, board: String, options: [String: Value]) {
    self.images = images
    self.board = board
    self.options = options
  }

  private func text(_ name: String) -> String? { options[name]?.text }
  private var usesNetwork: Bool { text("load") != "serial" }

  /// Where each file goes, by the keys of an agenda.
  private func address(of key: String) throws(ConnectionFailure) -> UBootAddress {
    let usual = [
      "kernel": "kernel_addr_r", "initrd": "ramdisk_addr_r", "device_tree": "fdt_addr_r"
    ]
    let written = text(key) ?? usual[key] ?? ""
    guard let address = UBootAddress(written) else {
      throw ConnectionFailure(
        .unsupported, "\(board): deploy: uboot: \(key): '\(written)' is no address",
        hint: "write a hexadecimal number, or the name of U-Boot's variable that has it")
    }
    return address
  }

  /// Loads everything, and starts it; returns once a kernel has taken the console.
  ///
  /// - Throws: `refused` with U-Boot's words when a file does not come, or nothing is booted.
  package func carryOut(in shell: UBootShell, until deadline: Deadline) throws(ConnectionFailure) {
    let served = try usesNetwork ? Served(images, board: board, text("directory") ?? "") : nil
    defer { served?.remove() }
    if usesNetwork { try joinNetwork(shell, until: deadline) }
    var loads: [String: UBootLoad] = [:]
    for (key, path) in images.deployment.files {
      let file = try UBootFile(path)
      let place = try address(of: key)
      let limit = deadline.limited(toSeconds: UBootShell.loadSeconds(file.size))
      loads[key] =
        if let name = served?.names[key] {
          try shell.fetch(file, named: name, at: place, until: limit)
        } else {
          try shell.load(file, at: place, until: limit)
        }
    }
    if let line = images.deployment.commandLine {
      try shell.set("bootargs", to: Array(line.utf8), until: deadline)
    }
    try shell.boot(command(loads), until: deadline.limited(toSeconds: 60))
  }

  /// An address of its own, and the server's; a server that is silent is given up once.
  private func joinNetwork(
    _ shell: UBootShell, until deadline: Deadline
  ) throws(ConnectionFailure) {
    try shell.set("netretry", to: Array("no".utf8), until: deadline)
    try shell.set("autoload", to: Array("no".utf8), until: deadline)
    let command = text("network") ?? "dhcp"
    if !command.isEmpty {
      let reply = try shell.run(command, until: deadline.limited(toSeconds: 120))
      guard reply.status ?? 0 == 0 else {
        let words = UBootShell.reason(reply.text)
        throw ConnectionFailure(
          .refused(words), "\(board): U-Boot does not join the network by '\(command)': \(words)",
          evidence: String(reply.text.suffix(600)),
          hint: "set 'network' in its bench entry, such as 'setenv ipaddr 10.0.0.5'")
      }
    }
    if let server = text("server") {
      try shell.set("serverip", to: Array(server.utf8), until: deadline)
    }
  }

  /// What starts it: by the kernel's format, unless the bench file says.
  ///
  /// Sources: U-Boot doc/usage/cmd/booti.rst, bootz.rst: ADDRESS [RAMDISK:SIZE|-] [TREE].
  func command(_ loads: [String: UBootLoad]) -> String {
    if let own = text("boot") { return own }
    func hex(_ value: some BinaryInteger) -> String { String(value, radix: 16) }
    let kernel = loads["kernel"].map { hex($0.address) } ?? "$kernel_addr_r"
    let ramdisk = loads["initrd"].map { "\(hex($0.address)):\(hex($0.size))" } ?? "-"
    let tree =
      loads["device_tree"].map { hex($0.address) } ?? "$\(text("own_tree") ?? "fdtcontroladdr")"
    switch images.kernel?.format {
    case .zImage: return "bootz \(kernel) \(ramdisk) \(tree)"
    case .image, nil: return "booti \(kernel) \(ramdisk) \(tree)"
    case .elf: return "bootelf \(kernel)"
    // ADDRESS SIZE [RAMDISK SIZE], doc/usage/cmd of x86's zboot.
    case .bzImage:
      let sizes = ["kernel", "initrd"].compactMap { loads[$0] }
      return "zboot " + sizes.map { "\(hex($0.address)) \(hex($0.size))" }.joined(separator: " ")
    }
  }
}

/// Files in the directory of a TFTP server, under names that no other board's have; removed with
/// ``remove()``.
struct Served {
  /// On the server, by the keys of an agenda.
  private(set) var names: [String: String] = [:]
  private var paths: [String] = []

  init(
    _ images: DeployImages, board: String, _ directory: String
  ) throws(ConnectionFailure) {
    for (key, path) in images.deployment.files {
      let sum = (images.checksums[key] ?? "").prefix(12)
      let name = "kelvin-\(board)-\(key)-\(sum)"
      let place = "\(directory)/\(name)"
      do throws(Errno) {
        try HostCopy.copy(path, to: place)
      } catch {
        remove()
        throw ConnectionFailure(
          .hostFile(error), "\(place): \(error)",
          hint: "the TFTP server's directory must be writable: 'directory' in the bench file")
      }
      names[key] = name
      paths.append(place)
    }
  }

  func remove() { for path in paths { HostCopy.remove(path) } }
}
