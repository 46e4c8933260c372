public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

extension BoardLink {
  /// Switches the link on, where this host switches it, and waits until the board answers by it.
  ///
  /// What died with a detached job may have left it off, and what comes by USB needs a while.
  ///
  /// - Throws: that it cannot be switched; why the board does not answer.
  public func bringBack(
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    guard case .switched(let control) = self else { return }
    _ = try await control.set(.on, until: deadline)
    while true {
      do throws(ConnectionFailure) {
        _ = try await connection.read(
          "/proc/sys/kernel/random/boot_id", until: deadline.limited(toSeconds: 5))
        return
      } catch {
        // No event tells that it is back: it is asked again.
        guard error.mayPass, !deadline.hasPassed,
          deadline.limited(toSeconds: 0.25).wait() == .passed
        else { throw error }
      }
    }
  }
}
