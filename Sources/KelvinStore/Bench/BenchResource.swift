/// A board or a meter, as leases and health know it: by its name in a bench file, and by what it is
/// known by besides.
///
/// All of that counts: whoever takes a resource takes its name and its identities, so that two bench
/// files that call one device by two names still never get it at the same time.
public struct BenchResource: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable { case board, meter }

  public var kind: Kind
  /// Its name in the bench file.
  public var name: String
  /// The bench file's absolute path behind all symbolic links.
  public var bench: String
  /// The ways to it, the one that it is known by first; empty when none is known.
  public var identities: [Identity]

  /// A way to a board or meter, over which two who use it would meet.
  public struct Identity: Sendable, Hashable {
    /// As a bench file describes it: a connection, or what a device must have to be meant.
    public var written: String
    /// Of the device that is meant now, e.g. `usb:1915:c00a:E1A2`, the strongest first; empty when
    /// nothing had to be looked for, or nothing was found: then the device that was found last time
    /// counts.
    public var devices: [String]

    /// Creates an identity.
    public init(_ written: String, devices: [String] = []) {
      self.written = written
      self.devices = devices
    }
  }

  /// Names a resource.
  public init(_ kind: Kind, _ name: String, bench: String, identities: [Identity]) {
    self.kind = kind
    self.name = name
    self.bench = bench
    self.identities = identities
  }

  /// Names a resource that is known by one thing at most.
  public init(_ kind: Kind, _ name: String, bench: String, identity: String? = nil) {
    self.init(kind, name, bench: bench, identities: identity.map { [Identity($0)] } ?? [])
  }

  /// What stays when names and ports change, as far as it is known.
  public var identity: String? { identities.first.map { $0.devices.first ?? $0.written } }

  /// This machine as a board, which needs no bench file.
  ///
  /// - Parameter identity: that of a board of a bench file that is reached locally, too.
  public static func thisMachine(
    _ host: HostIdentity, identity: String? = nil
  ) -> BenchResource {
    BenchResource(.board, "local", bench: "host \(host.name)", identity: identity)
  }

  /// For messages: `board 'rock'`.
  public var label: String { "\(kind.rawValue) '\(name)'" }
}

extension BenchResource: Comparable {
  /// The order in which resources are taken.
  public static func < (a: BenchResource, b: BenchResource) -> Bool {
    (a.kind.rawValue, a.name, a.bench, a.identity ?? "")
      < (b.kind.rawValue, b.name, b.bench, b.identity ?? "")
  }
}
