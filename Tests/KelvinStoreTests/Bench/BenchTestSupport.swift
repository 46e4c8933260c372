import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinStore

/// A real process that does nothing; ended with the value's last reference.
final class IdleProcess: Sendable {
  let processID: Int32

  init() throws {
    var pid = pid_t()
    var words: [UnsafeMutablePointer<CChar>?] = (["sleep", "300"] as [String]).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    try #require(posix_spawnp(&pid, "sleep", nil, nil, words, environ) == 0)
    processID = pid
  }

  deinit {
    kill(processID, SIGKILL)
    reap()
  }

  /// Ends it without a chance to tidy up, and waits until it is a zombie.
  func killUnreaped() throws {
    kill(processID, SIGKILL)
    var info = siginfo_t()
    try #require(waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) == 0)
  }

  func reap() { waitpid(processID, nil, 0) }

  /// A holder that is this process, on this machine.
  func holder(user: String = "anna") throws -> LeaseHolder {
    LeaseHolder(
      host: try .current(), process: try #require(ProcessIdentity(processID: processID)),
      user: user)
  }
}

let rock = BenchResource(.board, "rock", bench: "/lab/bench.yaml")
let pi = BenchResource(.board, "pi", bench: "/lab/bench.yaml")
let ppk2 = BenchResource(.meter, "ppk2-a", bench: "/lab/bench.yaml")

extension BenchStore {
  /// The grant, or a test failure.
  @discardableResult
  func take(
    _ resources: BenchResource..., run: String = "", directory: String = "",
    takesOver: Bool = false, sourceLocation: Testing.SourceLocation = #_sourceLocation
  ) throws -> LeaseGrant {
    let answer = try acquire(
      LeaseRequest(
        resources, run: run, directory: directory, purpose: "a test", takesOver: takesOver))
    guard case .granted(let grant) = answer else {
      throw PlainFailure(.infrastructure, "not granted at \(sourceLocation): \(answer)")
    }
    return grant
  }

  /// The refusal, or a test failure.
  func refusal(
    _ resources: BenchResource..., run: String = "", takesOver: Bool = false
  ) throws -> LeaseRefusal {
    let answer = try acquire(
      LeaseRequest(resources, run: run, purpose: "a test", takesOver: takesOver))
    guard case .refused(let refusal) = answer else {
      throw PlainFailure(.infrastructure, "granted: \(answer)")
    }
    return refusal
  }

  /// What was done, oldest first.
  func actions() throws -> [String] {
    shell("sqlite3 \(path) 'SELECT action FROM events ORDER BY id'").output.split(separator: "\n")
      .map(String.init)
  }
}

extension BenchListing {
  func state(_ name: String) -> BoardState? {
    resources.first { $0.resource.name == name }?.state
  }
}
