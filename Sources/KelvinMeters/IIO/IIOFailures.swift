internal import Glibc
internal import KelvinModel

extension MeterFailure {
  /// What an errno of a device or of an iiod means.
  ///
  /// - Parameter what: what was tried: `iio:device0 buffer/enable`.
  init(iio error: Errno, _ what: String, writing value: String? = nil) {
    let tried = value.map { "\(what): '\($0)'" } ?? what
    switch error.rawValue {
    case EACCES, EPERM:
      self.init(
        .permission, "\(tried): \(error)",
        hint:
          "run 'kelvin bench udev --install', which gives IIO devices to group plugdev, or be root")
    case EBUSY:
      self.init(.busy, "\(tried): \(error)", hint: "another program captures from this device")
    case ENODEV, ENXIO, ESTALE:
      self.init(.gone, "\(tried): \(error)", hint: "is it still attached?")
    case ENOENT: self.init(.notFound, "\(tried): \(error)")
    case EINVAL, ERANGE, EDOM: self.init(.invalid, "\(tried): \(error)")
    case ETIMEDOUT: self.init(.timedOut, "\(tried): \(error)")
    default: self.init(.malfunction, "\(tried): \(error)")
    }
  }

  /// A wait that came to its end.
  init(waitingFor what: String, _ deadline: Deadline, hint: String = "") {
    self =
      deadline.isInterrupted
      ? MeterFailure(.interrupted, "\(what): stopped")
      : MeterFailure(.timedOut, "\(what): no answer in time", hint: hint)
  }
}
