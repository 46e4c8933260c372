/// How a job, an attempt or a run ended.
///
/// A verdict never travels without its reason (see ``Outcome``).
public enum Verdict: Hashable, Sendable {
  /// Everything worked.
  case ok
  /// The workload worked, something beside it did not (an instrument, an output).
  case partial
  /// It did not work, and this is why.
  case failed(FailureKind)
  /// It had begun when the run was interrupted or its process died.
  case aborted
  /// It never began.
  case skipped

  /// Stable text for the store, the outputs and messages: `ok`, `failed: workload`, ...
  public var text: String {
    switch self {
    case .ok: "ok"
    case .partial: "partial"
    case .failed(let kind): "failed: \(kind.rawValue)"
    case .aborted: "aborted"
    case .skipped: "skipped"
    }
  }

  /// The word without the kind, as `retry_on_status` and WA's outputs use it.
  public var status: Status {
    switch self {
    case .ok: .ok
    case .partial: .partial
    case .failed: .failed
    case .aborted: .aborted
    case .skipped: .skipped
    }
  }

  /// Reads ``text`` back; nil when the text is no verdict.
  public init?(text: String) {
    switch text {
    case "ok": self = .ok
    case "partial": self = .partial
    case "aborted": self = .aborted
    case "skipped": self = .skipped
    default:
      let prefix = "failed: "
      guard text.hasPrefix(prefix),
        let kind = FailureKind(rawValue: String(text.dropFirst(prefix.count)))
      else { return nil }
      self = .failed(kind)
    }
  }

  /// The five words of a verdict.
  public enum Status: String, Sendable, Codable, CaseIterable {
    case ok, partial, failed, aborted, skipped
  }
}

extension Verdict: Codable {
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let verdict = Verdict(text: text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "no verdict: \(text)"))
    }
    self = verdict
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// A verdict and why.
public struct Outcome: Hashable, Sendable, Codable {
  public var verdict: Verdict
  /// Empty only for ``Verdict/ok``.
  public var reason: String

  /// Creates an outcome.
  public init(_ verdict: Verdict, _ reason: String = "") {
    self.verdict = verdict
    self.reason = reason
  }

  public static let ok = Outcome(.ok)
}
