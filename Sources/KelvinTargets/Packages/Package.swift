/// Something that a target's package manager has installed.
public struct Package: Sendable, Hashable {
  public let name: String
  /// As the package manager writes it; of an app the name of the version, nil where it was not asked for.
  public var version: String?
  /// An app's number, by which Android decides what is newer.
  public var versionCode: Int64?
  /// Of the machine or `all`, where the package manager tells.
  public var architecture: String?
  /// An app's file on the target.
  public var path: String?

  /// Creates a record.
  public init(
    name: String, version: String? = nil, versionCode: Int64? = nil, architecture: String? = nil,
    path: String? = nil
  ) {
    self.name = name
    self.version = version
    self.versionCode = versionCode
    self.architecture = architecture
    self.path = path
  }
}
