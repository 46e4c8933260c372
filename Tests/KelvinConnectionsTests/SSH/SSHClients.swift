import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// What the tests of ssh share.
enum SSHClients {
  static func soon() -> Deadline { .after(seconds: 30) }

  static func obstacle(
    _ options: SSHOptions, until deadline: Deadline = soon()
  ) async -> ConnectionFailure? {
    let connection = ShellConnection(SSHTransport(options))
    do {
      _ = try await connection.execute(Command(["true"]), until: deadline)
      await connection.close()
      return nil
    } catch {
      await connection.close()
      return error
    }
  }

  /// This process's ssh clients, and where their sockets are.
  static func all() -> [(processID: Int32, socket: String)] {
    var family: Set<Int32> = [getpid()]
    let all = ProcessEntry.all().filter { !$0.isZombie }
    for _ in 0..<4 {
      for entry in all where family.contains(entry.parent) { family.insert(entry.processID) }
    }
    return family.compactMap { id in
      let words = ((try? LocalFile.read("/proc/\(id)/cmdline")) ?? []).split(separator: 0)
        .map { String(decoding: $0, as: UTF8.self) }
      guard words.first == "ssh", let option = words.firstIndex(of: "-S") else { return nil }
      return (id, words[option + 1])
    }
  }
}

/// Accepts connections by its backlog, and never says anything.
final class MuteServer: Sendable {
  let port: Int
  private let descriptor: Int32

  init() throws {
    let opened = try LoopbackPort.open()
    (descriptor, port) = (opened.descriptor, Int(opened.port))
  }

  deinit { close(descriptor) }
}
