internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A program that is given this process's own terminal, in its process group.
enum TerminalChild {
  /// Runs it to its end. Keys such as Ctrl-C are the program's; SIGTERM and SIGHUP to this process are
  /// passed on.
  ///
  /// - Returns: its exit status, or 128 + the number of the signal that ended it.
  static func run(_ words: [String], until deadline: Deadline) throws(PlainFailure) -> Int32 {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    defer { for word in argv { free(word) } }
    argv.append(nil)
    signal(SIGINT, SIG_IGN)
    signal(SIGQUIT, SIG_IGN)
    var child: pid_t = 0
    let status = posix_spawnp(&child, words[0], nil, &attributes, argv, environ)
    guard status == 0 else {
      throw PlainFailure(.infrastructure, "\(words[0]): \(KelvinModel.Errno(status))")
    }
    return wait(for: child, until: deadline)
  }

  private static func wait(for child: pid_t, until deadline: Deadline) -> Int32 {
    let descriptor = kelvin_pidfd_open(child, 0)
    defer { if descriptor >= 0 { close(descriptor) } }
    if deadline.wait(for: descriptor) != .ready {
      kill(child, SIGHUP)
      if Deadline.after(seconds: 2).wait(for: descriptor) != .ready { kill(child, SIGKILL) }
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let number = status & 0x7f
    return number == 0 ? (status >> 8) & 0xff : 128 + number
  }
}
