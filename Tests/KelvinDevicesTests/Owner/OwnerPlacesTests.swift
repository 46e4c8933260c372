import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinDevices

/// Where the owner listens: nobody else's directory, however it came there.
struct OwnerPlacesTests {
  @Test func theRuntimeDirectoryIsMadeForThisUserAlone() throws {
    let scratch = try OwnerScratch()
    let descriptor = try scratch.places.openRuntimeDirectory(makes: true)
    defer { close(descriptor) }
    var status = stat()
    #expect(fstat(descriptor, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o700)
  }

  @Test func aLinkOrAnOpenOrAForeignDirectoryIsRefused() throws {
    let scratch = try OwnerScratch()
    let run = scratch.places.runtimeDirectory
    func expectDenied(_ what: Comment) {
      #expect(what) {
        _ = try scratch.places.openRuntimeDirectory(makes: true)
      } throws: { ($0 as? OwnerFailure)?.code == .denied }
    }
    #expect(symlink(scratch.path, run) == 0)
    expectDenied("a symbolic link")
    unlink(run)
    #expect(mkdir(run, 0o700) == 0)
    #expect(chmod(run, 0o770) == 0)
    expectDenied("open to a group")
    #expect(chmod(run, 0o700) == 0)
    // Only root can give a directory away.
    if geteuid() == 0 {
      #expect(chown(run, 65_534, 65_534) == 0)
      expectDenied("another user's")
    }
    rmdir(run)
    #expect(SmallFileMaker.make(run))
    expectDenied("a file")
  }

  @Test func withoutADirectoryNoOwnerRuns() throws {
    let scratch = try OwnerScratch()
    #expect {
      _ = try Owner.Client.connect(
        to: scratch.places, as: "test", starter: nil, until: .after(seconds: 5))
    } throws: { ($0 as? OwnerFailure)?.code == .notRunning }
  }

  @Test(.timeLimit(.minutes(1)))
  func aPathLongerThanASocketAddressIsNoProblem() throws {
    let scratch = try OwnerScratch()
    let long = scratch.path + "/" + String(repeating: "x", count: 200)
    let places = OwnerPlaces(runtimeDirectory: long, stateDirectory: scratch.path + "/state")
    let owner = try OwnerInThread(places)
    let client = try owner.client()
    #expect(client.processID == getpid())
    var status = stat()
    #expect(lstat(places.socketPath, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    owner.end()
    #expect(lstat(places.socketPath, &status) != 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func theSecondOwnerFindsTheFirstAndEnds() throws {
    let scratch = try OwnerScratch()
    let owner = try OwnerInThread(scratch.places)
    #expect(try OwnerServer(places: scratch.places) == nil)
    owner.end()
    #expect(try OwnerServer(places: scratch.places) != nil)
  }

  @Test(.timeLimit(.minutes(1)))
  func aSocketThatADeadOwnerLeftIsReplaced() throws {
    let scratch = try OwnerScratch()
    let directory = try scratch.places.openRuntimeDirectory(makes: true)
    close(try UnixSocket.listen(directory: directory, name: OwnerPlaces.socketName))
    close(directory)
    #expect {
      _ = try Owner.Client.connect(
        to: scratch.places, as: "test", starter: nil, until: .after(seconds: 5))
    } throws: { ($0 as? OwnerFailure)?.code == .notRunning }
    let owner = try OwnerInThread(scratch.places)
    _ = try owner.client()
  }
}

enum SmallFileMaker {
  /// Makes an empty file.
  static func make(_ path: String) -> Bool {
    let descriptor = creat(path, 0o600)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }
}
