internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The right to be the one owner of this user, and the socket that goes with it.
///
/// Two locks decide (flock(2), so that a death releases them): `owner.lock` is held for an owner's
/// whole life; `owner.start` while one begins or ends. Whoever wants to know how a start went waits
/// for the second and looks at the first.
struct OwnerSeat: ~Copyable {
  let listener: Int32
  private let directory: Int32
  private let life: Int32
  private let start: Int32

  /// Takes the seat and listens; nil: another owner has it, and listens by now.
  ///
  /// Waits, without a deadline, for an owner that begins or ends at this moment: this is the whole
  /// life of a process that somebody else waits for.
  static func take(_ places: OwnerPlaces) throws(OwnerFailure) -> OwnerSeat? {
    let directory = try places.openRuntimeDirectory(makes: true)
    var opened = [directory]
    do throws(OwnerFailure) {
      let start = try open(directory, "owner.start", places)
      opened.append(start)
      try lock(start)
      let life = try open(directory, "owner.lock", places)
      opened.append(life)
      guard flock(life, LOCK_EX | LOCK_NB) == 0 else {
        for descriptor in opened { close(descriptor) }
        return nil
      }
      let listener: Int32
      do {
        listener = try UnixSocket.listen(directory: directory, name: OwnerPlaces.socketName)
      } catch {
        throw OwnerFailure(.system, "\(places.socketPath): nobody can listen there: \(error)")
      }
      flock(start, LOCK_UN)
      return OwnerSeat(listener: listener, directory: directory, life: life, start: start)
    } catch {
      for descriptor in opened { close(descriptor) }
      throw error
    }
  }

  /// From here on a newcomer waits until ``deinit``, and nobody finds the socket.
  func beginLeaving() {
    try? OwnerSeat.lock(start)
    unlinkat(directory, OwnerPlaces.socketName, 0)
  }

  deinit { for descriptor in [listener, directory, life, start] { close(descriptor) } }

  private static func open(
    _ directory: Int32, _ name: String, _ places: OwnerPlaces
  ) throws(OwnerFailure) -> Int32 {
    let descriptor = kelvin_open(
      "/proc/self/fd/\(directory)/\(name)", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw OwnerFailure(.system, "\(places.runtimeDirectory)/\(name): \(Errno.current)")
    }
    return descriptor
  }

  private static func lock(_ descriptor: Int32) throws(OwnerFailure) {
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { throw OwnerFailure(.system, "owner.start: \(Errno.current)") }
    }
  }
}
