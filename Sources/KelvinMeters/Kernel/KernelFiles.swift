internal import KelvinConnections
internal import KelvinModel

/// Small files of a board's kernel, a directory of devices at a time: one round trip for the names, one
/// for all their contents.
struct KernelFiles: Sendable {
  /// The devices by their names in the directory, and for each the files that it has.
  private(set) var files: [String: [String]] = [:]
  /// Contents without blanks at both ends, by `DEVICE/FILE`.
  private var contents: [String: String] = [:]
  /// Where a device's files are, relative to its entry in the directory: mostly empty.
  private(set) var folders: [String: String] = [:]
  /// Why a file that is there gave no content.
  private(set) var errors: [String: Errno] = [:]

  /// The last names of what links lead to, by `DEVICE/LINK`: what a device hangs on.
  private var links: [String: String] = [:]

  /// Reads the files of a directory's devices that `isWanted` names.
  ///
  /// - Parameter mark: a file that every device has; where it is not in the device's own directory, the
  ///   device is taken to have its files in the directory of what it hangs on.
  /// - Throws: when the link failed or time is over; a directory that is not there has no devices.
  static func read(
    _ directory: TargetPath, through connection: any Connection, until deadline: Deadline,
    mark: String? = nil, where isWanted: (String) -> Bool
  ) async throws(ConnectionFailure) -> KernelFiles {
    var tree = KernelFiles()
    let devices = try await connection.entriesIfThere(of: directory, until: deadline)
      .map(\.name)
    var paths: [(key: String, path: TargetPath)] = []
    for device in devices {
      // Through the link that each entry of a class is, into the device's own directory.
      var folder = directory.appending(device)
      var all: [String] = []
      for entry in try await connection.entriesIfThere(of: folder.appending("."), until: deadline) {
        all.append(entry.name)
        guard case .link(let target) = entry.kind else { continue }
        tree.links["\(device)/\(entry.name)"] =
          target.split(separator: "/").last.map(String.init)
      }
      if let mark, !all.contains(mark), all.contains("device") {
        folder = folder.appending("device")
        tree.folders[device] = "device"
        all = try await connection.entriesIfThere(of: folder.appending("."), until: deadline).map(
          \.name)
      }
      tree.files[device] = all
      paths += all.filter(isWanted).map { ("\(device)/\($0)", folder.appending($0)) }
    }
    guard !paths.isEmpty else { return tree }
    let results = try await connection.read(paths.map(\.path), until: deadline)
    for (path, result) in zip(paths, results) {
      switch result {
      case .success(let bytes):
        let text = String(decoding: bytes.prefix(4096), as: UTF8.self)
        tree.contents[path.key] = String(text.trimmingASCIIWhitespace)
      case .failure(let error): tree.errors[path.key] = error
      }
    }
    return tree
  }

  /// A device's names in order: `hwmon2` before `hwmon10`.
  var devices: [String] {
    files.keys.sorted { ($0.count, $0) < ($1.count, $1) }
  }

  /// A file's content; nil when it is not there, or could not be read.
  func text(_ device: String, _ file: String) -> String? { contents["\(device)/\(file)"] }

  /// A file's content as a whole number.
  func integer(_ device: String, _ file: String) -> Int64? {
    text(device, file).flatMap { Int64($0) }
  }

  /// Where a device's link leads to, its last name; nil when there is no such link.
  func link(_ device: String, _ name: String) -> String? { links["\(device)/\(name)"] }
}
