internal import CLinux
internal import Glibc
internal import KelvinModel

/// The serial line that a simulated instrument speaks on.
struct InstrumentLine: Sendable {
  /// The instrument's end, which does not block. Closed by whoever has it.
  let descriptor: Int32
  /// The host's end, or the instrument's own where the host's is not known.
  let path: String

  /// A pseudo terminal, or a serial port that is there already: the device's side of a USB gadget
  /// (/dev/ttyGS0), whose other end is a ttyACM.
  init(at port: String?) throws(PlainFailure) {
    if let port {
      descriptor = kelvin_open(port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
      guard descriptor >= 0 else {
        throw PlainFailure(.infrastructure, "\(port): \(Errno.current)")
      }
      path = port
      _ = kelvin_tty_raw(descriptor, 115_200)
      return
    }
    var name = [CChar](repeating: 0, count: 128)
    descriptor = kelvin_pty(&name, name.count)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "no pseudo terminal: \(Errno.current)")
    }
    path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    // So that nothing is changed or echoed before the host has opened it.
    let host = kelvin_open(path, O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
    _ = kelvin_tty_raw(host, 115_200)
    close(host)
    _ = kelvin_set_nonblocking(descriptor)
  }
}
