package import KelvinModel

/// Shells of a device by adb, each a service of its own.
package final class ADBTransport: ShellTransport {
  package let device: any ADBDevice

  /// Creates the transport; nothing is reached yet.
  package init(_ device: any ADBDevice) { self.device = device }

  package var name: String { device.name }
  package var capabilities: Capabilities {
    Capabilities(
      separateStreams: true, fastSampling: false, scheduling: false, isThisMachine: false,
      carrier: device.carrier)
  }

  package func open(until deadline: Deadline) throws(ConnectionFailure) -> any ShellLink {
    guard try device.features(until: deadline).contains("shell_v2") else {
      return try ADBOldShellLink(device, until: deadline)
    }
    return ADBShellLink(try device.open("shell,v2,raw:exec sh", until: deadline))
  }

  package func close() { device.close() }
}
