internal import CLinux
internal import Glibc
package import KelvinModel

/// A pseudo terminal: the wire is the board's end, the path is what a serial port's would be.
package final class TerminalPair: Sendable {
  package let wire: ConsoleWire
  /// The slave's device file; it is another one for each pair.
  package let path: String

  /// Makes a pair.
  package init() throws(PlainFailure) {
    var name = [CChar](repeating: 0, count: 64)
    let master = kelvin_pty(&name, name.count)
    guard master >= 0 else {
      throw PlainFailure(.infrastructure, "no pseudo terminal: \(Errno.current)")
    }
    path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    wire = ConsoleWire(master, name: path)
  }

  /// Makes a symbolic link that leads here, as udev does for an adapter that came back.
  package func link(at link: String) throws(PlainFailure) {
    unlink(link)
    guard symlink(path, link) == 0 else {
      throw PlainFailure(.infrastructure, "\(link): \(Errno.current)")
    }
  }
}
