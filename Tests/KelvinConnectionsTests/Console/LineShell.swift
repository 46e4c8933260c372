import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// A shell at a prompt on a pseudo terminal, as a board has one at its console.
final class LineShell {
  typealias Kind = BoardShell

  let line: FaultyLine
  /// The host's end; used by one thread at a time.
  let link: DescriptorLink
  let scratch: Scratch
  let home: BoardHome
  private let process: BoardProcess
  var processID: pid_t { process.processID }

  /// - Parameters:
  ///   - tools: what the board has besides the shell; nil is all that this machine has, or for
  ///     busybox all that it has itself.
  ///   - script: runs in place of an interactive shell.
  init(
    _ kind: Kind, _ faults: LineFaults = LineFaults(), tools: [String]? = nil,
    prompt: String? = nil, script: String? = nil, environment: [String: String] = [:]
  ) throws {
    // As kelvin does: a line that is gone is an error, not an end.
    signal(SIGPIPE, SIG_IGN)
    scratch = try Scratch()
    home = try BoardHome(kind, tools: tools)
    var name = [CChar](repeating: 0, count: 128)
    let master = kelvin_pty(&name, name.count)
    guard master >= 0 else { throw Errno.current }
    var variables = [
      "PATH": home.searchPath, "HOME": scratch.path, "TERM": "vt100", "PS1": prompt ?? "# "
    ]
    variables.merge(environment) { $1 }
    var arguments = kind == .bash && script == nil ? ["--norc", "-i"] : ["-i"]
    if let script { arguments = ["-c", script] }
    process = try BoardProcess(
      home.path + "/bin/sh", arguments,
      terminal: String(
        decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self),
      environment: variables)
    var faults = faults
    faults.noiseTexts = LineFaults.withLies.noiseTexts
    var host: Int32 = -1
    line = try FaultyLine(master, faults, keepsTraffic: true, host: &host)
    link = DescriptorLink(
      host, name: "test line", bitsPerSecond: faults.bitsPerSecond ?? 10_000_000)
  }

  deinit {
    line.end()
    process.end()
  }

  /// Ends the shell, as if it had crashed.
  func crash() { process.crash() }

  /// A channel whose agent runs.
  func channel(seconds: Double = 30) throws -> ConsoleChannel {
    let channel = ConsoleChannel(link)
    try channel.open(until: .after(seconds: seconds))
    return channel
  }
}

extension LineFaults {
  /// Among the noise, lines that look like replies of the channel's own.
  static let withLies = LineFaults(noiseTexts: [
    "~Ab3x 7 14 3 r 0 tt 4 lie~", "~Ab3x 123456 14 3 r 0 tt 4 lie~"
  ])
}

extension BoardShell: CustomTestStringConvertible {
  public var testDescription: String { rawValue }
}
