import Glibc
import Testing

@testable import KelvinSystem

struct FileLockTests {
  @Test func theHolderOfALockIsFound() throws {
    var template = Array("/tmp/kelvin-lock-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
      close(descriptor)
      unlink(path)
    }
    #expect(FileLock.holder(of: path) == nil)
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    #expect(FileLock.holder(of: path) == getpid())
    #expect(FileLock.holder(of: path + "-not-there") == nil)
  }

  private static let table = """
    1: POSIX  ADVISORY  WRITE 11 00:06:1090 0 EOF
    2: FLOCK  ADVISORY  WRITE 12 00:06:1090 0 EOF
    2: -> FLOCK  ADVISORY  WRITE 13 00:06:1091 0 EOF
    3: FLOCK  ADVISORY  READ 14 fd:1a:5 0 EOF
    4: FLOCK  ADVISORY  WRITE -1 00:06:7 0 EOF
    5: FLOCK
    6: FLOCK  ADVISORY  WRITE 15 00:06 0 EOF
    """

  @Test(
    arguments: [
      (0, 6, 1090, 12), (0xFD, 0x1A, 5, 14), (0, 6, 1091, nil), (0, 6, 7, nil), (0, 7, 1090, nil)
    ] as [(UInt32, UInt32, UInt64, Int32?)])
  func theTableIsRead(major: UInt32, minor: UInt32, inode: UInt64, holder: Int32?) {
    #expect(FileLock.holder(major: major, minor: minor, inode: inode, in: Self.table) == holder)
    for count in 0...Self.table.count {
      let cut = String(Self.table.prefix(count))
      let found = FileLock.holder(major: major, minor: minor, inode: inode, in: cut)
      #expect(found == nil || found == holder)
    }
  }
}
