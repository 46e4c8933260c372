internal import CLinux

/// File systems of this machine.
package enum FileSystem {
  /// Whether several hosts may share what lies at a path. False when that cannot be told.
  package static func isShared(_ path: String) -> Bool {
    sharedTypes.contains(kelvin_file_system_type(path))
  }

  /// Magic numbers of statfs(2) and linux/magic.h: NFS, SMB, CIFS, SMB2, 9P, Ceph, AFS, and FUSE,
  /// which may be sshfs.
  private static let sharedTypes: Set<Int64> = [
    0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997, 0x00C3_6400, 0x5346_414F, 0x6573_5546
  ]
}
