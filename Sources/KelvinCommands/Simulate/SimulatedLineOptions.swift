internal import ArgumentParser
internal import KelvinModel

/// What the simulated meters on a serial line share: where they speak, and how their clock goes.
struct SimulatedLineOptions: ParsableArguments {
  @Option(help: "A symbolic link to the port, for as long as it goes on.", completion: .file())
  var link: String?

  @Option(
    help: "Speak on this serial port: the device's side of a USB gadget, such as /dev/ttyGS0.",
    completion: .file())
  var port: String?

  @Option(help: "By how much its clock is fast, in ppm.") var skew = 0.0

  func validate() throws {
    guard (-1e4...1e4).contains(skew) else { throw ValidationError("--skew: -10000 to 10000 ppm") }
    guard port == nil || link == nil else {
      throw ValidationError("--link: a link is to a pseudo terminal, and --port names another port")
    }
  }

  /// Makes the link, where one is wanted; it is to be removed at the end.
  func makeLink(to path: String) throws(PlainFailure) -> TerminalLink? {
    if let link { try TerminalLink(link, to: path) } else { nil }
  }

  /// The bench file's word for where the host finds it: what a gadget's port is called there, its own udev
  /// knows.
  func place(_ path: String) -> String {
    port == nil ? "path: \(YAMLText.quoted(path)), " : ""
  }
}
