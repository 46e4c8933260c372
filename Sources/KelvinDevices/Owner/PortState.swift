/// Whether a held port has its far end.
package enum PortState: Sendable, Hashable {
  /// Nothing has been tried yet.
  case opening
  case open
  /// The far end is gone, or was never there; it is tried again, ever less often.
  case lost(reason: String)
  /// The owner gave it up; final.
  case closed

  enum Event {
    case opened
    case failed(String)
    /// Somebody asked for another attempt.
    case asked
    case closed
  }

  /// The one place that says what follows what; nil: that cannot happen.
  func next(on event: Event) -> PortState? {
    switch (self, event) {
    case (.closed, _): nil
    case (_, .closed): .closed
    case (.opening, .opened), (.lost, .opened): .open
    case (.open, .opened): nil
    case (.lost, .asked): .opening
    case (.opening, .asked), (.open, .asked): nil
    case (_, .failed(let reason)): .lost(reason: reason)
    }
  }
}

extension PortState: CustomStringConvertible {
  package var description: String {
    switch self {
    case .opening: "opening"
    case .open: "open"
    case .lost(let reason): "lost: \(reason)"
    case .closed: "closed"
    }
  }

  /// Over the socket: the state's name, and the reason where there is one.
  var name: String {
    switch self {
    case .opening: "opening"
    case .open: "open"
    case .lost: "lost"
    case .closed: "closed"
    }
  }

  var reason: String? { if case .lost(let reason) = self { reason } else { nil } }

  init?(name: String, reason: String?) {
    switch name {
    case "opening": self = .opening
    case "open": self = .open
    case "lost": self = .lost(reason: reason ?? "")
    case "closed": self = .closed
    default: return nil
    }
  }
}
