package import KelvinModel

/// A license of whoever is logged in at the server.
///
/// Source: qoitech/otii-tcp-client-python, otii_client.py: which types hold the right to automate, and which of
/// them are free: an empty `reserved_to`, and `available`.
package struct OtiiLicense: Sendable, Hashable {
  package var number: Int64
  package var type: String
  package var isAvailable: Bool
  /// Empty while nobody has it.
  package var holder: String
  package var host: String

  private static let automating: Set<String> = ["Admin", "All", "Automation", "Enterprise"]

  /// Reads an entry of `otii_get_licenses`; nil when it is none.
  package init?(_ value: Value) {
    guard let map = value.map, let number = map["id"]?.integer, let type = map["type"]?.text else {
      return nil
    }
    self.number = number
    self.type = type
    isAvailable = map["available"]?.boolean ?? false
    holder = map["reserved_to"]?.text ?? ""
    host = map["hostname"]?.text ?? ""
  }

  /// What has to be done for the right to automate.
  package enum Choice: Sendable, Hashable {
    /// It is there already.
    case held
    case reserve(OtiiLicense)
    /// All are taken, by these; empty: there are none.
    case none(holders: [String])
  }

  /// Chooses among those that a user has.
  package static func choose(_ licenses: [OtiiLicense]) -> Choice {
    let right = licenses.filter { automating.contains($0.type) }
    if right.contains(where: { $0.isAvailable && !$0.holder.isEmpty }) { return .held }
    if let free = right.first(where: { $0.isAvailable && $0.holder.isEmpty }) {
      return .reserve(free)
    }
    return .none(
      holders: right.map { $0.host.isEmpty ? $0.holder : "\($0.holder) at \($0.host)" }
        .filter { !$0.isEmpty })
  }
}
