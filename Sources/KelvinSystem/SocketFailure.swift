internal import Glibc
package import KelvinModel

/// Why no connection came about.
package enum SocketFailure: Error, Sendable, Hashable {
  /// Nobody knows the host; in the resolver's words.
  case unknownHost(String)
  /// The deadline passed, or an interrupt was raised, while the host's name was looked up.
  case noLookup
  /// The same while nobody answered.
  case noAnswer
  /// socket(2) or connect(2) failed.
  case system(KelvinModel.Errno)
}

extension SocketFailure: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unknownHost(let text): text
    case .noLookup: "nobody told its address in time"
    case .noAnswer: "no answer in time"
    case .system(let error): "\(error)"
    }
  }

  /// What to do about it; empty when that is not known.
  package var hint: String {
    switch self {
    case .unknownHost, .noLookup: "check the name"
    case .noAnswer: "is it switched on and on this network?"
    case .system(let error):
      switch error.rawValue {
      case ECONNREFUSED: "nothing listens there: is the address right, and the service up?"
      case EHOSTUNREACH, ENETUNREACH, ETIMEDOUT: "is it switched on and on this network?"
      case EACCES, EPERM: "you may not use it: check its permissions"
      default: ""
      }
    }
  }
}
