internal import Foundation
internal import Glibc
public import KelvinConnections
public import KelvinModel

extension Target {
  /// Takes a picture of the screen, into a PNG file of the host.
  ///
  /// - Returns: its size in bytes.
  /// - Throws: `unsupported` where there is no screencap; `badReply` when what came is no whole picture;
  ///   `hostFile`.
  @discardableResult
  public func screenshot(
    to hostPath: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int {
    let found = try await connection.findExecutables(["screencap"], until: deadline)
    guard found[0] != nil else {
      throw ConnectionFailure(
        .unsupported, "\(name): takes no pictures of its screen: no 'screencap' there",
        hint: "it comes with Android")
    }
    let bytes = try await Target.picture(through: connection, until: deadline)
    guard let image = PNGStream(bytes).images.last else {
      throw ConnectionFailure(
        .badReply, "\(name): what screencap printed is no whole picture",
        evidence: "\(bytes.count) bytes")
    }
    do {
      try Data(bytes[image]).write(to: URL(fileURLWithPath: hostPath), options: .atomic)
    } catch {
      throw ConnectionFailure(
        .hostFile(.io), "\(hostPath): cannot be written", evidence: "\(error)")
    }
    return image.count
  }

  /// What `screencap -p` prints.
  package static func picture(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8] {
    let result = try await connection.execute(
      Command(["screencap", "-p"], standardError: .capture(limit: 4096), endsDescendants: false),
      until: deadline)
    guard result.isSuccess else {
      throw ConnectionFailure(
        .refused("\(result.termination)"), "screencap \(result.termination)",
        evidence: "\(result.standardError.text.prefix(500))")
    }
    return result.standardOutput.bytes
  }
}
