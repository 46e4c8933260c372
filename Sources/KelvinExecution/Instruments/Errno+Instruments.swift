internal import Glibc
internal import KelvinModel

extension Errno {
  /// The kernel has the file, and the feature behind it is switched off.
  static let notSupported = Errno(EOPNOTSUPP)
}
