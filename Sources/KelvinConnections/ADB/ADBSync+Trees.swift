internal import Glibc
package import KelvinModel

extension ADBSync {
  /// What a tree on the device holds.
  package struct Tree: Sendable {
    /// Relative to the top, parents before children; the top itself is left out.
    package var directories: [String] = []
    package var files: [(path: String, status: ADBFileStatus)] = []
    /// Sockets, devices, links to directories or to nothing.
    package var others: [String] = []
  }

  /// Lists a tree: all directories of one level at a time. Links to files count as files, other links
  /// are not followed: they may lead in circles.
  package func tree(
    _ top: TargetPath, until deadline: Deadline
  ) throws(ConnectionFailure) -> Tree {
    var tree = Tree()
    var level = [""]
    while !level.isEmpty {
      var next: [String] = []
      let lists = try list(level.map { ADBSync.join(top, $0) }, until: deadline)
      for (directory, entries) in zip(level, lists) {
        for entry in entries.sorted(by: { $0.name < $1.name }) {
          let path = directory.isEmpty ? entry.name : directory + "/" + entry.name
          if entry.status.isDirectory {
            tree.directories.append(path)
            next.append(path)
          } else if entry.status.isFile {
            tree.files.append((path, entry.status))
          } else if entry.status.isLink,
            let target = try target(of: ADBSync.join(top, path), until: deadline), target.isFile
          {
            tree.files.append((path, target))
          } else {
            tree.others.append(path)
          }
        }
      }
      level = next
    }
    return tree
  }

  private static func join(_ top: TargetPath, _ path: String) -> TargetPath {
    path.isEmpty ? top : top.appending(path)
  }

  /// Fetches a tree into a host directory, which is made when it is not there.
  ///
  /// - Returns: what was left out: sockets, devices, links to directories.
  @discardableResult
  package func pullTree(
    _ top: TargetPath, to directory: String, until deadline: Deadline, progress: Progress? = nil
  ) throws(ConnectionFailure) -> [String] {
    guard let status = try? status([top], until: deadline)[0].get(), status.isDirectory else {
      throw ConnectionFailure(.notFound, "\(top): no directory (\(name))")
    }
    let tree = try tree(top, until: deadline)
    HostDirectories.make(directory)
    for path in tree.directories {
      guard mkdir(directory + "/" + path, 0o755) == 0 || errno == EEXIST else {
        throw ADBSync.hostFailure(directory + "/" + path)
      }
    }
    try pull(
      tree.files.map { file in
        ADBPullItem(
          ADBSync.join(top, file.path), to: directory + "/" + file.path,
          mode: UInt16(truncatingIfNeeded: file.status.mode & 0o777), size: file.status.size)
      }, until: deadline, progress: progress)
    return tree.others
  }
}

/// A tree of this host that is to be sent.
struct ADBHostTree {
  /// Relative to the top, parents before children.
  var directories: [String] = []
  var items: [ADBPushItem] = []

  /// Reads a tree; links stay links, sockets and devices are left out.
  init(_ top: String, to target: TargetPath) throws(ConnectionFailure) {
    try add(top, "", target)
  }

  private mutating func add(
    _ top: String, _ relative: String, _ target: TargetPath
  ) throws(ConnectionFailure) {
    let directory = relative.isEmpty ? top : top + "/" + relative
    guard access(directory, R_OK | X_OK) == 0 else { throw ADBSync.hostFailure(directory) }
    for name in LocalFile.names(in: directory) {
      let path = relative.isEmpty ? name : relative + "/" + name
      var status = stat()
      guard lstat(top + "/" + path, &status) == 0 else {
        throw ADBSync.hostFailure(top + "/" + path)
      }
      let mode = UInt16(truncatingIfNeeded: status.st_mode & 0o777)
      switch status.st_mode & S_IFMT {
      case S_IFDIR:
        directories.append(path)
        try add(top, path, target)
      case S_IFREG:
        items.append(
          ADBPushItem(.file(top + "/" + path), to: target.appending(path), mode: mode))
      case S_IFLNK:
        items.append(
          ADBPushItem(
            .link(LocalFile.link(top + "/" + path)), to: target.appending(path), mode: 0o777))
      default: break
      }
    }
  }
}
