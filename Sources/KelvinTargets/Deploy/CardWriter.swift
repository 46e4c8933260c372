public import KelvinModel

/// Writes images onto media of this host.
public enum CardWriter {
  /// Writes an image over what a device holds; it is on the medium when this returns.
  public static func write(_ image: String, to device: String) throws(PlainFailure) {
    do throws(Errno) {
      try HostCopy.copy(image, to: device, replaces: false)
    } catch {
      throw PlainFailure(.infrastructure, "\(image) cannot be written to \(device): \(error)")
    }
  }
}
