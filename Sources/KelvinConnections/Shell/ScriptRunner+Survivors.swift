package import KelvinModel
internal import KelvinSystem

extension ScriptRunner {
  package func endProcesses(
    withEnvironment assignment: String, grace: Double, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int {
    let safe = assignment.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "="), UInt8(ascii: "_"),
        UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard safe, assignment.contains("=") else {
      throw ConnectionFailure(.unsupported, "'\(assignment)': no marker of processes")
    }
    // Root's processes tell their environment to root alone, and are ended by root alone.
    if let roots = try rootRunner(until: deadline) {
      return try await roots.endProcesses(
        withEnvironment: assignment, grace: grace, until: deadline)
    }
    // Opens the shell now, so that a board that is not there is told by the deadline.
    _ = try run(":", until: deadline)
    // A dot is any character to grep; what it finds too much is compared again.
    let tree = ShellTree(root: 0, startTicks: nil, marker: assignment, bootID: "")
    let ending = try tree.end(grace: grace, by: run) {
      _ = Deadline.after(seconds: Double($0) / 1000).wait()
    }
    if let survivor = ending.survivors.min(by: { $0.processID < $1.processID }) {
      throw ConnectionFailure(
        .permissionDenied, "process \(survivor.processID) could not be ended (\(name))",
        hint: "end it by hand, or connect as its user")
    }
    return ending.count
  }
}
