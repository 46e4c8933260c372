/// A board or a meter, as leases and health know it: by its name in a bench file, and by its physical
/// identity where that is known.
///
/// Both count: whoever takes a resource takes its name and its identity, so that two bench files that
/// call one device by two names still never get it at the same time.
public struct BenchResource: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable { case board, meter }

  public var kind: Kind
  /// Its name in the bench file.
  public var name: String
  /// The bench file's absolute path behind all symbolic links.
  public var bench: String
  /// What stays when names and ports change, e.g. `usb:1915:c00a:E1A2`; nil when it is not known.
  public var identity: String?

  /// Names a resource.
  public init(_ kind: Kind, _ name: String, bench: String, identity: String? = nil) {
    self.kind = kind
    self.name = name
    self.bench = bench
    self.identity = identity
  }

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
